// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fuzz/mutate.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "loader/base/fd.h"

namespace vnet::test {
namespace {

constexpr std::size_t longest = 1 << 16;

// The input at hand, in a mapped file: it outlives a crash. A file of its own for each test: they run side by
// side, and what is mapped must not be cut short by another.
class Table {
 public:
  Table()
      : name_(std::string("fuzz-input.") + testing::UnitTest::GetInstance()->current_test_info()->name()),
        file_(::open(name_.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
    if (!file_ || ::ftruncate(file_.get(), longest) != 0) return;
    void* at = ::mmap(nullptr, longest, PROT_READ | PROT_WRITE, MAP_SHARED, file_.get(), 0);
    if (at != MAP_FAILED) at_ = static_cast<char*>(at);
  }
  ~Table() {
    if (at_) ::munmap(at_, longest);
    ::unlink(name_.c_str());
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  void lay(const std::string& input) {
    if (!at_) return;
    std::memset(at_, 0, longest);
    std::memcpy(at_, input.data(), std::min(input.size(), longest));
  }

 private:
  std::string name_;
  Fd file_;
  char* at_ = nullptr;
};

}  // namespace

Mutator::Mutator(std::vector<std::string> seeds, std::vector<std::string> words)
    : seeds_(std::move(seeds)), words_(std::move(words)) {
  for (const char* word : {"",
                           "0",
                           "-1",
                           "1",
                           "255",
                           "256",
                           "65535",
                           "65536",
                           "4294967295",
                           "4294967296",
                           "18446744073709551616",
                           "1e9",
                           "0x10",
                           "\n",
                           "&#10;",
                           "&#0;",
                           "%s",
                           "\\",
                           "\"",
                           "'",
                           " ",
                           ",",
                           "/",
                           "..",
                           "\xff",
                           "\xc3\xa4",
                           "::",
                           "0.0.0.0",
                           "255.255.255.255",
                           "ff02::1"})
    words_.emplace_back(word);
}

std::size_t Mutator::below(std::size_t limit) {
  return std::uniform_int_distribution<std::size_t>(0, limit ? limit - 1 : 0)(random_);
}

const std::string& Mutator::any(const std::vector<std::string>& of) {
  return of[below(of.size())];
}

void Mutator::mutate(std::string& text) {
  std::size_t at = below(text.size() + 1), length = below(std::min<std::size_t>(text.size() - at, 40) + 1);
  switch (below(6)) {
    case 0:
      if (at < text.size()) text[at] = static_cast<char>(below(256));
      break;
    case 1:
      text.erase(at, length);
      break;
    case 2:
      text.insert(at, any(words_));
      break;
    case 3:
      text.replace(at, length, any(words_));
      break;
    case 4:
      text.insert(below(text.size() + 1), std::string(text, at, length));
      break;
    default: {
      const std::string& other = any(seeds_);
      std::size_t from = below(other.size() + 1);
      text.replace(at, length, other, from, below(200));
    }
  }
}

std::string Mutator::next() {
  std::string text = any(seeds_);
  for (std::size_t times = 1 + below(4); times > 0; --times) mutate(text);
  return text;
}

unsigned rounds() {
  const char* asked = std::getenv("VNET_FUZZ_ROUNDS");
  return asked ? static_cast<unsigned>(std::strtoul(asked, nullptr, 10)) : 20'000;
}

void on_damaged(Mutator& mutator, const std::function<void(const std::string&)>& check) {
  Table table;
  for (unsigned i = 0; i < rounds(); ++i) {
    std::string input = mutator.next();
    table.lay(input);
    check(input);
    if (testing::Test::HasFailure()) {
      ADD_FAILURE() << "with this input:\n" << input;
      return;
    }
  }
}

}  // namespace vnet::test

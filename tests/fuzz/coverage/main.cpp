// SPDX-License-Identifier: GPL-2.0-or-later
// One reader under libFuzzer, which mutates what reaches new code. Which one says VNET_FUZZ_READER; with
// VNET_FUZZ_SEEDS its seeds and words are written to that folder first, as a corpus and a dictionary.
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "tests/fuzz/readers.h"

namespace {

using vnet::test::Reader;

const Reader* reader = nullptr;

// As libFuzzer reads it: printable characters, all others by their numbers.
void write_dictionary(const std::string& file) {
  std::ofstream out(file);
  for (const auto& word : reader->words) {
    out << '"';
    for (unsigned char c : word) {
      char text[5];
      std::snprintf(text, sizeof text, std::isprint(c) && c != '"' && c != '\\' ? "%c" : "\\x%02x", c);
      out << text;
    }
    out << "\"\n";
  }
}

void write_seeds(const std::string& folder) {
  for (std::size_t i = 0; i < reader->seeds.size(); ++i)
    std::ofstream(folder + "/corpus/seed-" + std::to_string(i), std::ios::binary) << reader->seeds[i];
  write_dictionary(folder + "/words");
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  const char* asked = std::getenv("VNET_FUZZ_READER");
  for (const auto& each : vnet::test::readers())
    if (asked && each.name == asked) reader = &each;
  if (!reader) {
    std::fputs("VNET_FUZZ_READER must be one of:\n", stderr);
    for (const auto& each : vnet::test::readers()) std::puts(each.name.c_str());
    std::exit(2);
  }
  if (const char* folder = std::getenv("VNET_FUZZ_SEEDS")) write_seeds(folder);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto read = reader->read(std::string(reinterpret_cast<const char*>(data), size));
  if (read.broken.empty()) return 0;
  std::fprintf(stderr, "broken: %s\n", read.broken.c_str());
  std::abort();
}

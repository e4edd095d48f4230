// SPDX-License-Identifier: GPL-2.0-or-later
// Damaged text, the same in every run: what a test finds is found again.
#pragma once

#include <cstdint>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace vnet::test {

class Mutator {
 public:
  // Takes pieces from all seeds, and words: what the format gives a meaning to.
  Mutator(std::vector<std::string> seeds, std::vector<std::string> words);

  std::string next();  // one of the seeds with one to four mutations

 private:
  std::size_t below(std::size_t limit);
  const std::string& any(const std::vector<std::string>& of);
  void mutate(std::string& text);

  std::mt19937 random_{20240229};
  std::vector<std::string> seeds_, words_;
};

// VNET_FUZZ_ROUNDS, or what takes some seconds at most.
unsigned rounds();

// Runs the check on so many inputs; what was on the table when it crashed is in `fuzz-input.TEST` in the
// working directory.
void on_damaged(Mutator& mutator, const std::function<void(const std::string&)>& check);

}  // namespace vnet::test

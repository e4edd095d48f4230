// SPDX-License-Identifier: GPL-2.0-or-later
// Everything that reads what others have written: files, rule sets, command lines, libvirt's XML.
#pragma once

#include <string>
#include <vector>

namespace vnet::test {

// What a reader made of one input.
struct Read {
  bool taken = false;
  std::string broken;  // a promise that does not hold: "" if all do

  static Read refused(const std::string& message) {
    return {.broken = message.empty() ? "refused without a reason" : ""};
  }
};

struct Reader {
  std::string name;
  std::vector<std::string> seeds;
  std::vector<std::string> words;  // what the format gives a meaning to
  Read (*read)(const std::string& input);
  unsigned per_thousand_taken = 0;  // at least, of the seeds with some mutations
};

const std::vector<Reader>& readers();

}  // namespace vnet::test

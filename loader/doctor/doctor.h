// SPDX-License-Identifier: GPL-2.0-or-later
// What on this host is missing or in the way. A check is a function of the facts; the list below is all there
// is to know of them.
#pragma once

#include <string>
#include <vector>

namespace vnet {

struct HostFacts;  // loader/doctor/facts.h

enum class Severity {
  Problem,  // missing, or in the way: something does not work
  Note,     // works all the same, but is worth knowing
};

struct Finding {
  std::string check;  // its name in the list
  Severity severity = Severity::Problem;
  std::string what, why;
  std::string fix;  // a command to be pasted into a root shell
};

using Findings = std::vector<Finding>;

struct Check {
  const char* name;
  const char* question;  // "Is a bpffs mounted?"
  void (*run)(const HostFacts& facts, Findings& findings);
};

const std::vector<Check>& doctor_checks();

// Problems first, then in the order of the list.
Findings examine(const HostFacts& facts);

}  // namespace vnet

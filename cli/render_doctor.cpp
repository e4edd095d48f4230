// SPDX-License-Identifier: GPL-2.0-or-later
// The findings of doctor as text and JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/render.h"
#include "cli/text.h"
#include "loader/doctor/doctor.h"

namespace vnet::cli {
namespace {

const char* severity_word(Severity severity) {
  return severity == Severity::Problem ? "problem" : "note";
}

// Breaks the text at spaces into lines of at most `width`.
std::string wrap(const std::string& text, std::size_t width, const std::string& indent) {
  std::string out, line;
  std::size_t at = 0;
  while (at < text.size()) {
    std::size_t end = std::min(text.find(' ', at), text.size());
    std::string word = text.substr(at, end - at);
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      out += line + "\n" + indent;
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
    at = end + 1;
  }
  return out + line;
}

std::string count(std::size_t n, const char* what) {
  return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
}

}  // namespace

std::string doctor_text(const std::vector<Finding>& findings) {
  std::string out;
  std::size_t problems = 0;
  for (const auto& finding : findings) {
    problems += finding.severity == Severity::Problem;
    out += fmt::format("{:<8} {}\n", severity_word(finding.severity) + std::string(":"),
                       wrap(printable(finding.what), 88, "         "));
    out += fmt::format("         {}\n", wrap(printable(finding.why), 88, "         "));
    out += fmt::format("         # {}\n\n", printable(finding.fix));  // not wrapped, so that it can be pasted
  }
  return out + fmt::format("{}, {}, {}\n", count(doctor_checks().size(), "check"), count(problems, "problem"),
                           count(findings.size() - problems, "note"));
}

Json doctor_json(const std::vector<Finding>& findings) {
  Json json{{"ok", true}, {"checks", Json::array()}, {"findings", Json::array()}};
  for (const auto& check : doctor_checks()) {
    std::string state = "ok";
    for (const auto& finding : findings)
      if (finding.check == check.name && state != "problem") state = severity_word(finding.severity);
    json["checks"].push_back({{"check", check.name}, {"question", check.question}, {"state", state}});
    if (state == "problem") json["ok"] = false;
  }
  for (const auto& finding : findings)
    json["findings"].push_back({{"check", finding.check},
                                {"severity", severity_word(finding.severity)},
                                {"what", finding.what},
                                {"why", finding.why},
                                {"fix", finding.fix}});
  return json;
}

}  // namespace vnet::cli

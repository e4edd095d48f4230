// SPDX-License-Identifier: GPL-2.0-or-later
#include <cerrno>
#include <cstdio>

#include "cli/options.h"
#include "cli/text.h"
#include "cli/verbs.h"

namespace {

int report(const vnet::Error& error) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", vnet::cli::error_line(error).c_str());
  return static_cast<int>(error.kind);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace vnet;
  auto parsed = cli::parse_options({argv + 1, argv + argc});
  if (!parsed) return report(parsed.error());
  if (auto* notice = std::get_if<cli::Notice>(&*parsed)) {
    cli::print(notice->text);
  } else if (auto done = cli::run_verb(std::get<cli::Options>(*parsed)); !done) {
    return report(done.error());
  }
  // A reader that has gone has read enough; a full disk is an error.
  if (std::fflush(stdout) && errno != EPIPE) return report(system_error("writing the output").error());
  return 0;
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "cli/options.h"
#include "cli/text.h"

namespace vnet::cli {
namespace {

Result<void> run(const Invocation& invocation) {
  bool root = geteuid() == 0;
  if (!root && invocation.command->user == User::Root) return failed("must be root: use sudo");
  auto result = invocation.call.run(invocation.common);
  if (!result && !root && result.error().kind == ErrorKind::Failed)
    result.error().message += " (must be root: use sudo)";
  return result;
}

int report(const Error& error) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", error_line(error).c_str());
  return static_cast<int>(error.kind);
}

}  // namespace
}  // namespace vnet::cli

int main(int argc, char** argv) {
  using namespace vnet;
  auto parsed = cli::parse_options({argv + 1, argv + argc});
  if (!parsed) return cli::report(parsed.error());
  if (auto* notice = std::get_if<cli::Notice>(&*parsed)) {
    cli::print(notice->text);
  } else if (auto done = cli::run(std::get<cli::Invocation>(*parsed)); !done) {
    return cli::report(done.error());
  }
  // EPIPE: the reader closed the pipe, as `head` does. Anything else, a full disk say, is an error.
  if (std::fflush(stdout) && errno != EPIPE) return cli::report(system_error("writing the output").error());
  return 0;
}

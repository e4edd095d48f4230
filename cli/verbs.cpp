// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs.h"

#include <unistd.h>

#include <cstdio>
#include <set>

namespace vnet::cli {
namespace {

// The kernel lets only root do or see these; the others read files, which may be readable.
const std::set<std::string> root_verbs{"start",   "stop",    "up",     "attach", "detach", "set",
                                       "ports",   "block",   "run",    "hook",   "stats",  "flows",
                                       "monitor", "explain", "export", "doctor"};
const std::set<std::string> looking_verbs{"list",  "show",  "leases",  "ports",
                                          "stats", "flows", "explain", "doctor"};

Result<void> with_host(const Options& options) {
  if (options.watch_seconds) return options.verb == "flows" ? watch_flows(options) : watch(options);
  if (options.verb == "export") return export_metrics(options);
  VNET_ASSIGN(auto host, Host::open(options.state_dir, options.verbose));
  if (options.verb == "run") return run(host, options);
  if (options.verb == "hook") return hook(host, options);
  if (options.verb == "monitor") return monitor(host, options);
  bool looks = looking_verbs.contains(options.verb) || (options.verb == "block" && options.action == "list");
  return looks ? look(host, options) : change(host, options);
}

}  // namespace

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
}

Result<void> run_verb(const Options& options) {
  if (options.verb == "completion") {
    print(bash_completion());
    return {};
  }
  bool root = geteuid() == 0;
  if (!root && root_verbs.contains(options.verb)) return failed("must be root: use sudo");
  auto result = with_host(options);
  if (!result && !root && result.error().kind == ErrorKind::Failed)
    result.error().message += " (must be root: use sudo)";
  return result;
}

}  // namespace vnet::cli

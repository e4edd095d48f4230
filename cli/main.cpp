// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "cli/verbs.h"

namespace vnet::cli {

CLI::App* Commands::add(const std::string& name, const std::string& what, const std::string& example) {
  auto* verb = app.add_subcommand(name, what);
  verb->footer("Example:\n  " + example);
  return verb;
}

Result<void> carry_out(Host& host, const Globals& globals, const std::string& verb,
                       const std::function<Result<Plan>()>& make_plan) {
  if (globals.dry_run) {
    VNET_ASSIGN(auto plan, make_plan());
    for (const auto& step : plan.steps()) fmt::print("{}\n", step.text);
    return {};
  }
  VNET_ASSIGN(auto lock, host.lock(verb));
  VNET_ASSIGN(auto plan, make_plan());
  VNET_TRY(plan.run());
  fmt::print("{}\n", plan.done);
  return {};
}

namespace {

// One line, whatever the names in it are made of.
std::string printable(const std::string& text) {
  std::string out;
  for (unsigned char c : text) {
    if (c < 0x20 || c == 0x7f) out += fmt::format("\\x{:02x}", c);
    else out += static_cast<char>(c);
  }
  return out;
}

int report(const Error& error) {
  std::string where = error.file.empty() ? "" : fmt::format("{}:{}: ", error.file, error.line);
  fmt::print(stderr, "vnet-bpf: error: {}{}\n", printable(where), printable(error.message));
  return static_cast<int>(error.kind);
}

int run(int argc, char** argv) {
  CLI::App app{"Virtual networks of a virtualization host as an eBPF datapath", "vnet-bpf"};
  Globals globals;
  app.require_subcommand(1);
  app.set_version_flag("--version", "vnet-bpf " VNET_VERSION);
  app.add_option("--state-dir", globals.state_dir, "Everything lives below DIR")->envname("VNET_BPF_STATE_DIR")->type_name("DIR");
  app.add_flag("--json", globals.json, "One JSON document instead of text");
  app.add_flag("--dry-run", globals.dry_run, "Print the steps, change nothing");
  app.add_flag("--verbose", globals.verbose, "Show what the kernel's verifier says");
  app.fallthrough();
  app.footer("Example:\n  vnet-bpf up && vnet-bpf attach vnet0 --network default && vnet-bpf stats --watch");

  Commands commands{app, nullptr};
  add_network_verbs(commands);
  add_port_verbs(commands);
  add_observe_verbs(commands);
  add_completion(commands);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return report({ErrorKind::Invalid, std::string(error.what()) + "; see vnet-bpf --help", {}, 0});
  }
  if (!commands.chosen) return 0;
  if (::geteuid() != 0) return report({ErrorKind::Failed, "must be root: use sudo", {}, 0});
  auto host = Host::open(globals.state_dir ? std::optional<std::filesystem::path>(*globals.state_dir) : std::nullopt, globals.verbose);
  if (!host) return report(host.error());
  auto done = commands.chosen(*host, globals);
  return done ? 0 : report(done.error());
}

}  // namespace
}  // namespace vnet::cli

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_DFL);  // `vnet-bpf flows | head` ends quietly
  return vnet::cli::run(argc, argv);
}

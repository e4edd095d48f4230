// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/libvirt.h"

#include <cstdio>

#include "cli/render.h"
#include "loader/takeover/execute.h"

namespace vnet::cli::verbs {
namespace {

using takeover::Facts;
using takeover::Operator;
using takeover::Plan;
using takeover::Step;

void tell(const Step& step) {
  print(printable(takeover::text(step)) + "\n");
  std::fflush(stdout);  // some take seconds
}

// What a failure has left is given back; what cannot be is part of the message.
Error undone(Operator& host, Error error) {
  auto back = [&]() -> Result<void> {
    VNET_ASSIGN(auto facts, host.facts());
    VNET_ASSIGN(auto plan, takeover::plan_disable(facts, true));
    return host.carry_out(plan, [](const Step&) {});
  }();
  error.message += back ? "; everything has been undone"
                        : "; undoing it failed, too (" + back.error().message +
                              "): `vnet-bpf libvirt disable` goes on with it";
  return error;
}

Result<void> change(const Common& common, const LibvirtOptions& options, Operator& host) {
  const bool enable = options.action == "enable";
  VNET_ASSIGN(auto facts, host.facts());
  VNET_ASSIGN(auto plan, enable ? takeover::plan_enable(facts, options.live)
                                : takeover::plan_disable(facts, options.live));
  if (plan.steps.empty()) {
    print(enable ? "Nothing to do: vnet-bpf serves libvirt's network API\n"
                 : "Nothing to do: libvirt serves its own networks\n");
    return {};
  }
  if (common.dry_run) {
    for (const auto& step : plan.steps) tell(step);
    return {};
  }
  auto done = host.carry_out(plan, tell);
  if (!done && enable) return std::unexpected(undone(host, std::move(done).error()));
  if (!done) {
    done.error().message += "; `vnet-bpf libvirt disable` goes on with it";
    return done;
  }
  print(enable ? "vnet-bpf serves libvirt's network API\n" : "libvirt serves its own networks again\n");
  for (const auto& note : plan.notes) print_note(note);
  return {};
}

Result<void> libvirt(const Common& common, LibvirtOptions& options) {
  VNET_ASSIGN(auto host, Operator::open(common.verbose));
  if (!options.changes()) return print_facts(host.facts(), common.json);
  if (common.dry_run) return change(common, options, host);
  VNET_ASSIGN(auto lock, host.lock());
  return change(common, options, host);
}

}  // namespace

std::vector<Option> LibvirtOptions::list() {
  return {
      Option("ACTION", "enable, disable or status", into(action))
          .required()
          .only({"enable", "disable", "status"}),
      {"--live", "Move guests that run, too; they are without a network for some seconds", flag_into(live)}};
}

Result<void> LibvirtOptions::check(const Common& common) const {
  if (live && !changes()) return invalid("libvirt status: takes no --live");
  if (common.state_dir)
    return invalid(
        "libvirt: takes no --state-dir; it acts on the system's units, which use the system's places");
  return {};
}

Action libvirt_action() {
  return [] {
    return make_call<LibvirtOptions>([](const LibvirtOptions& options) { return options.changes(); },
                                     libvirt);
  };
}

}  // namespace vnet::cli::verbs

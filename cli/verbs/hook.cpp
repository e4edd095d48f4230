// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/hook.h"

#include <syslog.h>

#include <algorithm>

#include "cli/input.h"
#include "cli/text.h"

namespace vnet::cli::verbs {
namespace {

void note(int priority, const std::string& text) {
  std::string line = printable(text);
  syslog(priority, "%s", line.c_str());
}

Result<void> carry_out(Transaction& transaction, const Intent& intent) {
  VNET_ASSIGN(auto plan, transaction.run(intent));
  for (const auto& [about, done] : plan.done) note(LOG_INFO, done);
  return {};
}

// The name may have been another guest's, whose options are not this one's.
Result<void> plug_in_one(Transaction& transaction, const GuestInterface& card, const std::string& network) {
  VNET_TRY(carry_out(transaction, ForgetGone{card.target}));
  VNET_ASSIGN(auto request, request_of(card, network));
  return carry_out(transaction, PlugIn{request});
}

struct Card {
  GuestInterface card;
  std::string network;
};

void warn_of_what_is_not_held(Host& host, const std::vector<Card>& cards) {
  auto ports = host.ports(std::nullopt);
  if (!ports) return;
  for (const auto& port : *ports) {
    bool concerned = std::ranges::any_of(
        cards, [&](const Card& one) { return one.card.vlan && one.card.target == port.interface; });
    if (concerned && port.vlan && !port.vlan_held)
      note(LOG_WARNING,
           port.interface + ": <vlan> is not applied: " + port.source + " is no VLAN-aware bridge");
  }
}

// The interfaces that are in the bridge of a network of ours.
Result<std::vector<Card>> ours(Host& host, const std::vector<GuestInterface>& cards) {
  std::vector<Card> found;
  for (const auto& card : cards) {
    if (card.target.empty()) continue;
    VNET_ASSIGN(auto network, host.network_of(card.target));
    if (!network.empty()) found.push_back({card, network});
  }
  return found;
}

Result<void> logged(const std::string& name, Result<void> done) {
  if (!done) note(LOG_ERR, "guest " + name + ": " + done.error().message);
  return {};
}

// Tries all. Returns the error of an interface with a filter; other errors are only logged.
Result<void> plug_in(Host& host, const std::string& name, const std::vector<Card>& cards) {
  VNET_ASSIGN(auto transaction, host.begin("hook"));
  Result<void> filtered;
  for (const auto& [card, network] : cards) {
    auto done = plug_in_one(transaction, card, network);
    if (!done && !card.filter.empty())
      filtered = std::move(done);
    else
      (void)logged(name, std::move(done));
  }
  warn_of_what_is_not_held(host, cards);
  return filtered;
}

Result<void> release(Host& host) {
  VNET_ASSIGN(auto transaction, host.begin("hook"));
  return carry_out(transaction, ForgetGone{});
}

}  // namespace

std::vector<Option> HookOptions::list() {
  return {Option("WORDS", "libvirt, and the hook's arguments", into(words)).required().at_least(3)};
}

Result<void> HookOptions::check(const Common&) const {
  VNET_TRY(one_of("hook", words.front(), {"libvirt"}));
  if (words.size() < 3) return invalid("hook: libvirt's words are NAME OPERATION ...");
  return {};
}

Result<void> hook(Host& host, const Common&, const HookOptions& options) {
  const std::string& name = options.words[1];
  const std::string& operation = options.words[2];
  openlog("vnet-bpf", LOG_PID, LOG_DAEMON);
  if (operation == "release") return logged(name, release(host));
  bool starts = operation == "start";
  if (!starts && operation != "reconnect" && operation != "attach") return {};
  auto cards = guest_interfaces(read_stdin());
  if (!cards) return logged(name, std::unexpected(std::move(cards).error()));
  auto concerned = ours(host, *cards);
  if (!concerned) return logged(name, std::unexpected(std::move(concerned).error()));
  if (concerned->empty()) return {};
  auto done = plug_in(host, name, *concerned);
  // A guest does not start without its filters. One that is running goes on.
  bool filtered = std::ranges::any_of(*concerned, [](const Card& one) { return !one.card.filter.empty(); });
  if (!starts || !filtered) return logged(name, std::move(done));
  if (!done) return std::unexpected(std::move(done).error().within("guest " + name));
  return {};
}

}  // namespace vnet::cli::verbs

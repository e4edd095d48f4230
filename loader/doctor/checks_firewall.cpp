// SPDX-License-Identifier: GPL-2.0-or-later
// The host's own rules. Guests' new connections pass them, unless hostFirewall='bypass'. So what they refuse
// is no fault, but often not intended. hostFirewall='auto' lets guests past policies, which is told.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <vector>

#include "loader/doctor/checks.h"
#include "loader/model/pass_rule.h"

namespace vnet {
namespace {

const char* family_name(Family family) {
  return family == Family::V4 ? "IPv4" : "IPv6";
}

// Some guest of the subnet.
Address guest_of(const Prefix& gateway) {
  Prefix network = gateway.network();
  Address guest = network.address;
  guest.bytes[gateway.address.family == Family::V4 ? 3 : 15] |= 2;
  return network.contains(guest) && guest != gateway.address ? guest : gateway.address;
}

bool is_firewalld(const Ruling& ruling) {
  return ruling.table == "firewalld";
}

std::string zone_command(const HostFacts& facts, const std::string& bridge) {
  std::string command = fmt::format("firewall-cmd --zone={} --change-interface={}", own_zone, bridge);
  bool known = facts.firewalld && facts.firewalld->zones.contains(own_zone);
  return known ? command
               : fmt::format(
                     "firewall-cmd --reload && {}  # with the package's zone {} in "
                     "/usr/lib/firewalld/zones",
                     command, own_zone);
}

std::string allow_forward(const HostFacts& facts, const Ruling& ruling, const std::string& bridge) {
  if (is_firewalld(ruling)) return zone_command(facts, bridge);
  const Ruleset& ruleset = facts.ruleset;
  // Docker leaves this chain to the administrator and jumps to it first.
  std::string chain =
      ruleset.has_chain(ruling.family, ruling.table, "DOCKER-USER") ? "DOCKER-USER" : ruling.chain;
  return fmt::format(
      "nft 'insert rule {0} {1} {2} iifname \"{3}\" accept; insert rule {0} {1} {2} oifname \"{3}\" ct state "
      "established,related accept'",
      ruling.family, ruling.table, chain, bridge);
}

template <typename Visit>  // each gateway address of each network for which `wanted`
void each_subnet(const HostFacts& facts, bool (*wanted)(const Network&), Visit visit) {
  for (const auto& checked : facts.networks) {
    if (!wanted(checked.network)) continue;
    for (const auto& ip : checked.network.ips) visit(checked.network, ip.gateway);
  }
}

bool honors_firewall(const Network& network) {
  return is_routed(network) && network.settings.host_firewall != HostFirewall::Bypass;
}

bool is_auto(const Network& network) {
  return network.settings.host_firewall == HostFirewall::Auto && !mode_spec(network.mode).any_uplink &&
         is_nameable(network.bridge);
}

bool is_active(const HostFacts& facts, const Network& network) {
  return std::ranges::any_of(facts.networks, [&](const CheckedNetwork& checked) {
    return checked.active && checked.network.name == network.name;
  });
}

// The network's start will see to it: by a rule of ours, or by firewalld's zone.
bool comes_with_start(const HostFacts& facts, const Network& network, const Ruling& ruling) {
  if (!is_auto(network) || is_active(facts, network)) return false;
  if (!is_firewalld(ruling)) return ruling.by_policy;
  return network.zone.empty() && facts.firewalld && facts.firewalld->zones.contains(own_zone) &&
         !facts.firewalld->zone_of.contains(network.bridge);
}

// A policy that guests should have been let past: the rules have been written anew since.
std::string mend_pass(const Network& network) {
  return fmt::format("vnet-bpf apply {}  # and keep `vnet-bpf run` running, which follows the host's rules",
                     network.name);
}

bool already_said(const Findings& findings, std::size_t from, const std::string& fix) {
  return std::any_of(findings.begin() + static_cast<std::ptrdiff_t>(from), findings.end(),
                     [&](const Finding& finding) { return finding.fix == fix; });
}

}  // namespace

void check_forward_rules(const HostFacts& facts, Findings& findings) {
  const std::size_t from = findings.size();
  each_subnet(facts, honors_firewall, [&](const Network& network, const Prefix& gateway) {
    struct Refusal {
      Ruling ruling;
      std::vector<std::string> uplinks;
    };
    std::map<std::string, Refusal> refusals;  // by what mends them
    for (const auto& uplink : facts.uplinks) {
      auto ruling = facts.ruleset.dropped({network.bridge, uplink, guest_of(gateway), "", 0}, "forward");
      if (!ruling || comes_with_start(facts, network, *ruling)) continue;
      bool missing = is_auto(network) && ruling->by_policy && !is_firewalld(*ruling);
      std::string fix = missing ? mend_pass(network) : allow_forward(facts, *ruling, network.bridge);
      refusals.try_emplace(fix, Refusal{*ruling, {}}).first->second.uplinks.push_back(uplink);
    }
    for (const auto& [fix, refusal] : refusals) {
      if (already_said(findings, from, fix)) continue;
      const Ruling& ruling = refusal.ruling;
      std::string who = is_firewalld(ruling)                                                  ? " (firewalld)"
                        : facts.ruleset.has_chain(ruling.family, ruling.table, "DOCKER-USER") ? " (Docker)"
                                                                                              : "";
      findings.push_back(
          {.what = fmt::format("the host's rules{} drop what guests of network {} send to {} ({}; {})", who,
                               network.name, fmt::join(refusal.uplinks, ", "),
                               family_name(gateway.address.family), place(ruling)),
           .why = fmt::format(
               "A guest's new connections pass the host's FORWARD rules (hostFirewall='{}'): none "
               "gets out there.",
               host_firewall_name(network.settings.host_firewall)),
           .fix = fix});
    }
  });
}

namespace {

struct Service {
  const char* protocol;
  unsigned port;
};
std::vector<Service> services_of(Family family) {
  return {{"udp", family == Family::V4 ? 67U : 547U}, {"udp", 53}};
}

}  // namespace

void check_input_rules(const HostFacts& facts, Findings& findings) {
  const std::size_t from = findings.size();
  each_subnet(facts, wants_dnsmasq, [&](const Network& network, const Prefix& gateway) {
    for (Service service : services_of(gateway.address.family)) {
      auto ruling = facts.ruleset.dropped(
          {network.bridge, "", guest_of(gateway), service.protocol, service.port}, "input");
      if (!ruling || comes_with_start(facts, network, *ruling)) continue;
      std::string fix =
          is_firewalld(*ruling) ? zone_command(facts, network.bridge)
          : is_auto(network) && ruling->by_policy
              ? mend_pass(network)
              : fmt::format(
                    "nft 'insert rule {0} {1} {2} iifname \"{3}\" udp dport {{ 53, 67, 547 }} accept; insert "
                    "rule {0} {1} {2} iifname \"{3}\" tcp dport 53 accept'",
                    ruling->family, ruling->table, ruling->chain, network.bridge);
      if (already_said(findings, from, fix)) continue;
      findings.push_back(
          {.what = fmt::format("the host's rules drop what guests of network {} ask the host for ({} "
                               "port {}; {})",
                               network.name, service.protocol, service.port, place(*ruling)),
           .why = "dnsmasq on the host answers guests' DHCP and DNS: they get neither an address nor a "
                  "name.",
           .fix = fix});
    }
  });
}

namespace {

bool is_in_own_zone(const HostFacts& facts, const Network& network) {
  if (!facts.firewalld) return false;
  auto zone = facts.firewalld->zone_of.find(network.bridge);
  return zone != facts.firewalld->zone_of.end() && zone->second == own_zone;
}

// Policies that this network's guests are let past.
std::set<std::string> passed_policies(const HostFacts& facts, const Network& network) {
  Doubts seen;
  for (const auto& ip : network.ips) {
    const Address guest = guest_of(ip.gateway);
    if (is_routed(network))
      for (const auto& uplink : facts.uplinks)
        facts.ruleset.dropped({network.bridge, uplink, guest, "", 0}, "forward", &seen);
    if (wants_dnsmasq(network))
      for (Service service : services_of(guest.family))
        facts.ruleset.dropped({network.bridge, "", guest, service.protocol, service.port}, "input", &seen);
  }
  std::set<std::string> all;
  for (const Ruling& policy : seen.passed) all.insert(place(policy));
  return all;
}

}  // namespace

void check_firewall_passes(const HostFacts& facts, Findings& findings) {
  for (const auto& checked : facts.networks) {
    const Network& network = checked.network;
    if (!checked.active || !is_auto(network)) continue;
    auto policies = passed_policies(facts, network);
    if (is_in_own_zone(facts, network)) policies.insert(fmt::format("firewalld: zone {}", own_zone));
    if (policies.empty()) continue;
    findings.push_back(
        {.severity = Severity::Note,
         .what = fmt::format("guests of network {} are let past the host's policies ({})", network.name,
                             fmt::join(policies, "; ")),
         .why = "hostFirewall='auto': the host's rules hold, and where none of them decides, guests get out, "
                "DHCP and DNS in. mode='honor' leaves that to the policies.",
         .fix = fmt::format("vnet-bpf update {} modify vnet:hostFirewall '<vnet:hostFirewall "
                            "mode=\"honor\"/>' --live --config  # if that is not wanted",
                            network.name)});
  }
}

void check_masquerade_rules(const HostFacts& facts, Findings& findings) {
  const std::size_t from = findings.size();
  each_subnet(facts, is_routed, [&](const Network& network, const Prefix& gateway) {
    for (const auto& uplink : facts.uplinks) {
      for (const auto& ruling :
           facts.ruleset.translated({network.bridge, uplink, guest_of(gateway), "", 0})) {
        std::string fix = fmt::format(
            "nft insert rule {} {} {} {} saddr {} accept", ruling.family, ruling.table, ruling.chain,
            gateway.address.family == Family::V4 ? "ip" : "ip6", gateway.network().text());
        if (already_said(findings, from, fix)) continue;
        findings.push_back(
            {.severity = Severity::Note,
             .what = fmt::format("a rule of the host translates the source of guests of network {}, too ({})",
                                 network.name, place(ruling)),
             .why = "Such flows leave as that rule says, and get their answers. But no session of ours is "
                    "made: they stay with the host's stack (slow path), and `flows` does not know them.",
             .fix = fix});
      }
    }
  });
}

// Port forwards by hand, by libvirt's hook scripts and the like.
void check_port_forward_rules(const HostFacts& facts, Findings& findings) {
  each_subnet(facts, is_routed, [&](const Network& network, const Prefix& gateway) {
    auto rules = facts.ruleset.turning_to(gateway.network());
    if (rules.empty()) return;
    std::string more = rules.size() > 1 ? fmt::format(", and {} more", rules.size() - 1) : "";
    findings.push_back(
        {.severity = Severity::Note,
         .what = fmt::format("the host's NAT turns connections to guests of network {} ({}{})", network.name,
                             place_of_rule(rules.front()), more),
         .why = "They arrive, and are answered. But such flows stay with the host's stack (slow path), and "
                "`flows` does not know them; a <vnet:portForward> in the network's XML goes past it.",
         .fix =
             "vnet-bpf define FILE  # the network's XML with a <vnet:portForward>; then take the rule away"});
  });
}

void check_legacy_rules(const HostFacts& facts, Findings& findings) {
  if (facts.legacy_tables.empty()) return;
  findings.push_back(
      {.severity = Severity::Note,
       .what = fmt::format("iptables-legacy has tables here: {}", fmt::join(facts.legacy_tables, ", ")),
       .why = "Its rules act next to those of nftables, and doctor cannot read them: a FORWARD policy or "
              "a MASQUERADE rule among them would stay unseen.",
       .fix = "iptables-legacy-save; ip6tables-legacy-save  # look for FORWARD DROP and MASQUERADE"});
}

}  // namespace vnet

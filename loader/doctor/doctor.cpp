// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/doctor/checks.h"

#include <algorithm>

namespace vnet {

const std::vector<Check>& doctor_checks() {
  static const std::vector<Check> all{
      {"kernel", "Is the kernel recent enough and built with what the programs need?", check_kernel},
      {"tcx", "Can programs share a hook without tc's filter chain?", check_tcx},
      {"jit", "Are BPF programs compiled?", check_jit},
      {"bpffs", "Is a bpffs mounted where the pins go?", check_bpffs},
      {"forwarding", "Does the host forward packets?", check_forwarding},
      {"accept-ra", "Does the host keep its IPv6 routes while it forwards?", check_router_advertisements},
      {"rp-filter", "Does the reverse path filter let answers in?", check_rp_filter},
      {"br-netfilter", "Do bridged frames pass the host's firewall?", check_br_netfilter},
      {"port-range", "Are there ports to masquerade to?", check_port_range},
      {"forward-rules", "Do the host's rules let guests' connections through?", check_forward_rules},
      {"input-rules", "Do the host's rules let guests ask for DHCP and DNS?", check_input_rules},
      {"firewall-passes", "Which of the host's policies are guests let past?", check_firewall_passes},
      {"masquerade-rules", "Does another rule translate guests' connections first?", check_masquerade_rules},
      {"port-forward-rules", "Does the host's NAT turn connections to guests?", check_port_forward_rules},
      {"port-forwards", "Is every port forward its guest's alone?", check_forwards},
      {"legacy-rules", "Are there rules that doctor cannot read?", check_legacy_rules},
      {"uplink", "Is there a way out?", check_uplinks},
      {"guards", "Is every program of ours still where it was attached?", check_guards},
      {"versions", "Is everything that runs of this version?", check_versions},
      {"unattached", "Is every interface in a gateway's bridge attached?", check_unattached},
      {"announce", "Does FRR announce what runs and asks for it, and no more of it?", check_announced},
      {"ip-only", "Can guests use the IPv6 addresses that they make up?", check_ip_only},
      {"mtu", "Do the MTUs along the way agree?", check_mtu},
      {"bonding", "Does the bonding mode suit guests?", check_bonding},
      {"xdp", "Is XDP where it should be, and shared with others?", check_xdp},
      {"xdp-driver", "Can packets be dropped before the host touches them?", check_driver},
      {"foreign-programs", "Do programs of others see the packets, too?", check_foreign_programs},
      {"bridge-name", "Is the gateway's name free?", check_bridge_names},
      {"subnet", "Are the networks' subnets theirs alone?", check_subnets},
      {"dnsmasq", "Is dnsmasq there, and running?", check_dnsmasq},
      {"names", "Does the host know its guests' names where it should?", check_names},
      {"inotify", "Is there room for another dnsmasq?", check_inotify},
      {"service-ports", "Are the ports of DNS and DHCP free?", check_service_ports},
      {"libvirt", "Who answers libvirt's calls about networks?", check_libvirt},
  };
  return all;
}

Findings examine(const HostFacts& facts) {
  Findings all;
  for (const auto& check : doctor_checks()) {
    std::size_t before = all.size();
    check.run(facts, all);
    for (std::size_t i = before; i < all.size(); ++i) all[i].check = check.name;
  }
  std::ranges::stable_sort(all, {}, &Finding::severity);
  return all;
}

bool wants_dnsmasq(const Network& network) {
  bool dhcp = std::ranges::any_of(network.ips, &IpConfig::dhcp);
  return has_gateway(network) && !network.ips.empty() && (dhcp || network.dns.enable);
}

}  // namespace vnet

// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/ground.h"

#include <fmt/format.h>

#include <fstream>
#include <stdexcept>
#include <system_error>

namespace vnet::hostile {
namespace {

// Machines that are sniffed believe nobody and know no way but to their own network: what they would send
// elsewhere, or answer, would be nobody's fault.
constexpr const char* unmoved = R"(
for c in all default eth0; do
  for s in accept_ra autoconf accept_redirects; do echo 0 > /proc/sys/net/ipv6/conf/$c/$s; done
  echo 0 > /proc/sys/net/ipv4/conf/$c/accept_redirects
done
)";

// The worst host there may be: forwards, checks no source, obeys source routes, answers everything at any
// rate.
constexpr const char* careless = R"(
cd /proc/sys/net
for c in all default eth0; do
  echo 0 > ipv4/conf/$c/rp_filter
  echo 1 > ipv4/conf/$c/accept_source_route
  echo 1 > ipv4/conf/$c/send_redirects
  echo 1 > ipv6/conf/$c/accept_source_route
done
echo 1 > ipv4/ip_forward
echo 1 > ipv6/conf/all/forwarding
echo 0 > ipv4/icmp_ratelimit
echo 0 > ipv6/icmp/ratelimit
for s in icmp_msgs_per_sec icmp_msgs_burst; do [ ! -e ipv4/$s ] || echo 1000000 > ipv4/$s; done
echo 0 > ipv4/icmp_echo_ignore_broadcasts
)";

std::string neighbours(const Place& place, const std::string& device) {
  std::string result;
  for (const Address& machine : place.machine)
    result += fmt::format("ip neigh replace {} lladdr {} dev {} nud permanent\n", text(machine),
                          text(place.machine_mac), device);
  return result;
}

}  // namespace

Ground::Ground() {
  set_up_outside();
  set_up_host();
  sniffers_.push_back(std::make_unique<Sniffer>(playground_.outside(), "eth0"));
  sniffers_.push_back(std::make_unique<Sniffer>(lan_, "eth0"));
  for (const Network& network : networks) {
    start(network);
    plug_neighbour(network);
    plug_hostile(network);
  }
}

void Ground::must(const test::Argv& command) {
  test::Output ran = playground_.vnet(command);
  if (!ran.ok()) {
    throw std::runtime_error(
        fmt::format("vnet-bpf {}: exit {}: {}{}", fmt::join(command, " "), ran.status, ran.out, ran.err));
  }
}

void Ground::set_up_outside() {
  playground_.outside().must(std::string(unmoved) + "ip link set eth0 address " + text(place(0).machine_mac));
  host().must("ip link set eth0 address " + text(place(0).host_mac));
  // A smaller MTU: what is too big for it is answered, too.
  host().must(
      fmt::format("ip link add lan0 address {} type veth peer name eth0 netns {}\n"
                  "ip link set lan0 mtu 1400 up\n"
                  "ip addr add {}/24 dev lan0; ip addr add {}/64 dev lan0 nodad\n",
                  text(place(1).host_mac), lan_.name(), text(place(1).host[0]), text(place(1).host[1])));
  lan_.must(std::string(unmoved) +
            fmt::format("ip link set eth0 address {} up\n"
                        "ip addr add {}/24 dev eth0; ip addr add {}/64 dev eth0 nodad\n",
                        text(place(1).machine_mac), text(place(1).machine[0]), text(place(1).machine[1])));
}

void Ground::set_up_host() {
  host().must(careless + neighbours(place(0), "eth0") + neighbours(place(1), "lan0"));
}

void Ground::start(const Network& network) {
  auto file = playground_.state_dir() / (std::string(network.name) + ".xml");
  // Room for the sessions of a guest that begins as many as it can.
  std::ofstream(file) << fmt::format(
      "<network><name>{0}</name>"
      "<metadata><vnet:network xmlns:vnet='urn:vnet-bpf:network:1'>"
      "<vnet:sessions max='262144' perPort='131072'/></vnet:network></metadata>{1}"
      "<bridge name='br{0}' stp='off'/><mac address='{2}'/>"
      "<ip address='{3}' netmask='255.255.255.0'/><ip family='ipv6' address='{4}' prefix='64'/></network>",
      network.name, network.forward,
      text(place(2 + static_cast<std::size_t>(&network - networks.data())).host_mac),
      text(network.host(gateway, false)), text(network.host(gateway, true)));
  must({"up", file.string()});
}

void Ground::plug_neighbour(const Network& network) {
  const Place& here = place(2 + static_cast<std::size_t>(&network - networks.data()));
  std::string name = network.name + std::string("-n");
  test::Namespace& guest = playground_.add_guest(name);
  guest.must(std::string(unmoved) +
             fmt::format("ip link set eth0 address {}\n"
                         "ip addr add {}/24 dev eth0; ip addr add {}/64 dev eth0 nodad\n",
                         text(here.machine_mac), text(here.machine[0]), text(here.machine[1])));
  must({"attach", name, "--network", network.name, "--mac", text(here.machine_mac)});
  host().must(neighbours(here, std::string("br") + network.name));
  sniffers_.push_back(std::make_unique<Sniffer>(guest, "eth0"));
}

void Ground::plug_hostile(const Network& network) {
  Guest on_veth{.network = &network, .tap = false}, on_tap{.network = &network, .tap = true};
  std::string veth = network.name + std::string("-v"), tap = network.name + std::string("-t");
  test::Namespace& guest = playground_.add_guest(veth);
  // No stack of its own: the guest is what is sent here.
  guest.must("echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6; ip link set eth0 address " +
             text(on_veth.mac()));
  must({"attach", veth, "--network", network.name, "--mac", text(on_veth.mac())});
  veths_.push_back(std::make_unique<VethSender>(guest, "eth0"));
  taps_.push_back(std::make_unique<test::Tap>(host(), tap));
  must({"attach", tap, "--network", network.name, "--mac", text(on_tap.mac())});
  for (const Guest& one : {on_veth, on_tap})
    for (bool v6 : {false, true})
      host().must(fmt::format("ip neigh replace {} lladdr {} dev br{} nud permanent",
                              text(network.host(one.number(), v6)), text(one.mac()), network.name));
}

std::size_t Ground::send(std::size_t index, const std::vector<test::VirtioFrame>& frames) {
  if (!guest(index).tap) return veths_[index / 2]->send(frames);
  std::size_t refused = 0;
  for (const test::VirtioFrame& frame : frames) {
    try {
      taps_[index / 2]->send(frame);
    } catch (const std::system_error&) {  // a header that contradicts the frame
      refused++;
    }
  }
  return refused;
}

}  // namespace vnet::hostile

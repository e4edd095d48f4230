// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/guest/guest_fixture.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace vnet::test {
namespace {

using std::chrono::seconds;

using Gateway = GuestMode::Gateway;
using Outside = GuestMode::Outside;

GuestMode direct(const std::string& mode, int parents = 1) {
  std::string pool;
  for (int wire = 1; wire <= parents; ++wire) pool += fmt::format("<interface dev='eth{}'/>", wire);
  return {.forward = "<forward mode='" + mode + "'>" + pool + "</forward>",
          .gateway = Gateway::outside,
          .parents = parents,
          .guests_meet = mode != "private",
          .by_reflection = mode == "vepa"};
}

GuestMode mode_named(const std::string& name) {
  const std::map<std::string, GuestMode> modes = {
      {"nat",
       {.forward = "<forward mode='nat'><nat ipv6='yes'/></forward>", .outside = Outside::masqueraded}},
      {"route", {.forward = "<forward mode='route'/>", .outside = Outside::routed}},
      {"open", {.forward = "<forward mode='open'/>", .outside = Outside::routed}},
      {"isolated", {.forward = ""}},
      {"bridge", {.forward = "<forward mode='bridge'/>", .gateway = Gateway::host}},
      {"direct", direct("bridge")},
      {"vepa", direct("vepa")},
      {"private", direct("private")},
      {"passthrough", direct("passthrough", 2)},  // one guest an interface
  };
  auto found = modes.find(name);
  if (found == modes.end()) throw std::invalid_argument("VNET_GUEST_MODE: there is no mode " + name);
  return found->second;
}

std::string network_xml(const GuestMode& mode) {
  std::string rest;
  if (mode.gateway == Gateway::host) rest = "<bridge name='virbr0'/>";
  if (mode.gateway == Gateway::ours)
    rest =
        "<bridge name='virbr0' stp='off'/><domain name='lab.test'/>"
        "<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.100' "
        "end='192.168.122.200'/></dhcp></ip><ip family='ipv6' address='fd00:122::1' prefix='64'/>";
  return "<network><name>lab</name>" + mode.forward + rest + "</network>";
}

}  // namespace

std::string GuestTest::missing_, GuestTest::served_sum_;
GuestMode GuestTest::mode_;
std::unique_ptr<Playground> GuestTest::ground_;
std::unique_ptr<VirtualMachine> GuestTest::g1_, GuestTest::g2_;
std::vector<Background> GuestTest::services_;

void GuestTest::SetUpTestSuite() {
  if (geteuid() != 0) {
    missing_ = "needs root";
    return;
  }
  auto image = machine_image();
  if (!image) {
    missing_ = image.error();
    return;
  }
  const char* wanted = std::getenv("VNET_GUEST_MODE");
  mode_ = mode_named(wanted ? wanted : "nat");
  ground_ = std::make_unique<Playground>();
  start_network();
  serve_file();
  g1_ = boot(*image, "g1", 1, 1);
  g2_ = boot(*image, "g2", 2, 2);
  EXPECT_TRUE(g1_->wait_up()) << g1_->console();
  EXPECT_TRUE(g2_->wait_up()) << g2_->console();
}

void GuestTest::TearDownTestSuite() {
  services_.clear();
  g1_.reset();
  g2_.reset();
  ground_.reset();
}

void GuestTest::SetUp() {
  if (!missing_.empty()) GTEST_SKIP() << missing_;
}

Output GuestTest::vnet(const Argv& arguments) {
  Output output = ground_->vnet(arguments);
  EXPECT_TRUE(output.ok()) << testing::PrintToString(arguments) << " exit " << output.status << "\n"
                           << output.out << output.err;
  return output;
}

// Somebody's, where vnet-bpf has no gateway: addresses, DHCP, names.
void GuestTest::serve_addresses(Namespace& where, const std::string& interface) {
  where.must(fmt::format("ip addr add 192.168.122.1/24 dev {0}; ip addr add fd00:122::1/64 dev {0} nodad",
                         interface));
  auto folder = ground_->state_dir();
  services_.push_back(where.background(
      {"dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--no-hosts", "--no-resolv",
       "--interface=" + interface, "--bind-dynamic", "--except-interface=lo", "--no-ping",
       "--domain=lab.test", "--dhcp-authoritative", "--dhcp-range=192.168.122.100,192.168.122.200",
       "--enable-ra", "--dhcp-range=fd00:122::,ra-only", "--user=root",
       "--pid-file=" + (folder / "dhcp.pid").string(),
       "--dhcp-leasefile=" + (folder / "dhcp.leases").string()}));
}

// Outside is a switch, too, and the host has more wires than eth0 to it.
void GuestTest::make_switch() {
  Namespace& outside = ground_->outside();
  outside.must("ip link add br0 type bridge mcast_snooping 0; ip link set br0 up");
  for (int wire = 1; wire <= mode_.parents; ++wire) {
    // Without addresses of its own the host does not hear the switch's router advertisements.
    host().must(
        fmt::format("ip link add eth{0} type veth peer name eth{0} netns {1}; "
                    "echo 1 > /proc/sys/net/ipv6/conf/eth{0}/disable_ipv6; ip link set eth{0} up",
                    wire, outside.name()));
    outside.must(fmt::format("ip link set eth{0} master br0 up", wire));
  }
  reflect(true);
}

void GuestTest::reflect(bool yes) {
  for (int wire = 1; wire <= mode_.parents; ++wire)
    ground_->outside().must(fmt::format("bridge link set dev eth{} hairpin {}", wire, yes ? "on" : "off"));
}

void GuestTest::start_network() {
  if (mode_.gateway == Gateway::host) {
    host().must("ip link add virbr0 type bridge; ip link set virbr0 up");
    serve_addresses(host(), "virbr0");
  }
  if (mode_.gateway == Gateway::outside) {
    make_switch();
    serve_addresses(ground_->outside(), "br0");
  }
  if (mode_.outside == Outside::routed)  // it has to know the way back
    ground_->outside().must(
        "ip route add 192.168.122.0/24 via 203.0.113.2; ip -6 route add fd00:122::/64 via 2001:db8:113::2");
  auto file = ground_->state_dir() / "lab.xml";
  std::ofstream(file) << network_xml(mode_);
  vnet({"up", file});
}

void GuestTest::serve_file() {
  std::string file = ground_->state_dir() / "file";
  server().must("head -c 3000000 /dev/urandom > " + file);
  served_sum_ = server().sh("sha1sum < " + file).out;
  services_.push_back(server().background(
      {"socat", "-U", "TCP6-LISTEN:8080,fork,reuseaddr,ipv6only=0", "OPEN:" + file + ",rdonly"}));
}

std::unique_ptr<VirtualMachine> GuestTest::boot(const MachineImage& image, const std::string& name,
                                                int number, int queues) {
  host().must(fmt::format("ip tuntap add dev {0} mode tap vnet_hdr {1}; ip link set {0} up", name,
                          queues > 1 ? "multi_queue" : ""));
  std::string mac = fmt::format("52:54:00:00:00:{:02x}", number);
  vnet({"attach", name, "--network", "lab", "--mac", mac, "--model", "virtio"});
  return std::make_unique<VirtualMachine>(
      host(), ground_->state_dir(), image,
      MachineOptions{.name = name, .tap = name, .mac = mac, .queues = queues});
}

std::string GuestTest::address(VirtualMachine& guest, const std::string& start) {
  std::string found;
  wait_until(
      [&] {
        found = guest.sh("ip addr show dev eth0 | grep -o '" + start + "[^/]*' | head -n 1").out;
        found.erase(found.find_last_not_of('\n') + 1);
        return !found.empty();
      },
      seconds(30));
  return found;
}

void GuestTest::expect_soon(VirtualMachine& guest, const std::string& command) {
  Output output;
  EXPECT_TRUE(wait_until([&] { return (output = guest.sh(command)).ok(); }, seconds(20)))
      << command << " -> " << output.status << "\n"
      << output.out << ground_->vnet({"stats"}).out;
}

std::map<std::string, std::uint64_t> GuestTest::queue_packets() {
  std::map<std::string, std::uint64_t> packets;
  std::istringstream lines(g2().sh("ethtool -S eth0").out);
  for (std::string name, number; lines >> name;)
    if (name.ends_with("_packets:") && name.find("_queue_") != std::string::npos &&
        name.find("_xdp_") == std::string::npos && lines >> number)
      packets[name] = std::stoull(number);
  return packets;
}

}  // namespace vnet::test

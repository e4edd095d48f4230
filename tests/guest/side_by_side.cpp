// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/guest/side_by_side.h"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

namespace vnet::test {
namespace {

using std::chrono::seconds;

struct NetworkPlan {
  std::string bridge;
  int subnet;
  std::string xml;  // what it has of its own
};

const std::map<std::string, NetworkPlan> networks = {
    {"default",
     {"virbr0", 122,
      "<forward mode='nat'/><mac address='52:54:00:00:00:fe'/>"}},  // what g1 sends raw goes there
    {"other", {"virbr1", 123, "<forward mode='nat'/>"}},
    {"alone", {"virbr2", 124, ""}},
    {"routed", {"virbr3", 125, "<forward mode='route'/>"}}};

struct GuestPlan {
  std::string network;
  int number;
};

const std::map<std::string, GuestPlan> guests = {
    {"g1", {"default", 11}}, {"g2", {"default", 12}}, {"g3", {"other", 13}},
    {"g4", {"alone", 14}},   {"g5", {"routed", 15}},
};

// A static lease, for which dnsmasq does not wait whether somebody else has the address.
std::string network_xml(const std::string& name, const NetworkPlan& plan) {
  return fmt::format(
      "<network><name>{0}</name>{1}<bridge name='{2}' stp='off'/>"
      "<ip address='192.168.{3}.1' netmask='255.255.255.0'><dhcp><range start='192.168.{3}.100' "
      "end='192.168.{3}.200'/><host mac='52:54:00:00:00:0b' ip='192.168.{3}.11'/></dhcp></ip></network>",
      name, plan.xml, plan.bridge, plan.subnet);
}

}  // namespace

std::map<Driver, std::unique_ptr<SideBySideTest::Side>> SideBySideTest::sides_;

void SideBySideTest::TearDownTestSuite() {
  for (auto& [driver, side] : sides_) side->libvirt.reset();
  sides_.clear();
}

void SideBySideTest::SetUp() {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  if (theirs())
    if (std::string missing = Libvirt::missing(); !missing.empty()) GTEST_SKIP() << missing;
  if (!sides_.contains(GetParam())) set_up_side();
}

void SideBySideTest::set_up_side() {
  sides_[GetParam()] = std::make_unique<Side>();
  if (theirs())
    side().libvirt = std::make_unique<Libvirt>(host(), ground().state_dir() / "libvirt",
                                               "VNET_BPF=" VNET_PROGRAM " VNET_BPF_STATE_DIR=/nonexistent");
  for (const auto& [name, plan] : networks) {
    auto file = ground().state_dir() / (name + ".xml");
    std::ofstream(file) << network_xml(name, plan);
    if (theirs())
      libvirt().must({"net-define", file});
    else
      vnet({"define", file});
    EXPECT_TRUE(start(name).ok());
  }
  for (const auto& [name, plan] : guests) {
    int subnet = networks.at(plan.network).subnet;
    ground().add_guest(name).must(
        fmt::format("ip link set eth0 down && ip link set eth0 address {} && ip link set eth0 up && ip addr "
                    "add {}/24 dev eth0 && "
                    "ip route add default via 192.168.{}.1",
                    mac(name), address(name), subnet));
    plug(name);
    EXPECT_TRUE(soon("answered", name, fmt::format("192.168.{}.1", subnet)));
  }
}

std::string SideBySideTest::address(const std::string& guest) {
  const GuestPlan& plan = guests.at(guest);
  return fmt::format("192.168.{}.{}", networks.at(plan.network).subnet, plan.number);
}

std::string SideBySideTest::mac(const std::string& guest) {
  return fmt::format("52:54:00:00:00:{:02x}", guests.at(guest).number);
}

void SideBySideTest::vnet(const Argv& words) {
  Output output = ground().vnet(words);
  EXPECT_TRUE(output.ok()) << testing::PrintToString(words) << output.out << output.err;
}

Output SideBySideTest::start(const std::string& network) {
  return theirs() ? libvirt().virsh({"net-start", network}) : ground().vnet({"start", network});
}

bool SideBySideTest::starts_soon(const std::string& network) {
  return wait_until([&] { return start(network).ok(); }, seconds(10));
}

void SideBySideTest::stop(const std::string& network) {
  if (theirs())
    libvirt().must({"net-destroy", network});
  else
    vnet({"stop", network});
}

void SideBySideTest::plug(const std::string& guest) {
  const std::string& network = guests.at(guest).network;
  if (theirs())
    host().must("ip link set " + guest + " master " + networks.at(network).bridge);
  else
    vnet({"attach", guest, "--network", network, "--mac", mac(guest)});
}

// What libvirt does for <port isolated>.
void SideBySideTest::isolate(const std::string& guest, bool yes) {
  if (theirs())
    host().must("bridge link set dev " + guest + " isolated " + (yes ? "on" : "off"));
  else
    vnet({"set", guest, yes ? "--isolated" : "--no-isolated"});
}

std::string SideBySideTest::ping(const std::string& guest, const std::string& to) {
  Output output = this->guest(guest).sh("ping -n -c 1 -W 1 " + to);
  if (output.ok()) return "answered";
  return output.out.find("Port Unreachable") != std::string::npos ? "refused" : "nothing";
}

bool SideBySideTest::soon(const std::string& what, const std::string& guest, const std::string& to) {
  return wait_until([&] { return ping(guest, to) == what; }, seconds(10));
}

bool SideBySideTest::hears(const RawPort& ear, const FrameTest& test, std::chrono::milliseconds limit) {
  auto deadline = std::chrono::steady_clock::now() + limit;
  for (auto left = limit; left.count() > 0;) {
    auto frame = ear.receive(left);
    if (!frame) return false;
    if (test(*frame)) return true;
    left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
  }
  return false;
}

}  // namespace vnet::test

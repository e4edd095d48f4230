// SPDX-License-Identifier: GPL-2.0-or-later
// `vnet-bpf libvirt` on a host with the real libvirtd.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <optional>

#include "tests/support/libvirt_host.h"

namespace vnet::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

#ifdef VNET_LIBVIRT_DRIVER
const char* const driver_file = VNET_LIBVIRT_DRIVER;
#else
const char* const driver_file = "";  // no libvirt-dev when this was built
#endif
constexpr const char* moved_mac = "52:54:00:00:00:01";
const char* const their_default_xml = R"(<network><name>default</name>
<uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid><forward mode='nat'/>
<bridge name='virbr0' stp='off'/><mac address='52:54:00:00:00:fe'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.100' end='192.168.122.200'/></dhcp></ip>
</network>)";
const char* const their_lab_xml = R"(<network><name>lab</name><bridge name='virbr7'/>
<ip address='192.168.177.1' netmask='255.255.255.0'><dhcp><range start='192.168.177.100' end='192.168.177.200'/></dhcp></ip>
</network>)";
// As libvirt's own helper writes it.
const char* const their_lease = R"([
  {{
    "ip-address": "192.168.122.150",
    "mac-address": "52:54:00:00:00:77",
    "hostname": "g7",
    "client-id": "01:52:54:00:00:00:77",
    "expiry-time": {}
  }}
]
)";

// Two networks of libvirt's: `default`, which is started at boot, with a lease, and `lab`, which is not.
class TakeoverTest : public testing::TestWithParam<Daemons> {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (auto missing = LibvirtHost::missing(); !missing.empty()) GTEST_SKIP() << missing;
    if (!fs::exists(driver_file)) GTEST_SKIP() << "the driver was not built (libvirt-dev)";
    host_.emplace(driver_file, GetParam());
    host().virsh({"net-define", file("default.xml", their_default_xml)});
    host().virsh({"net-define", file("lab.xml", their_lab_xml)});
    host().virsh({"net-autostart", "default"});
    auto leases = fmt::format(fmt::runtime(their_lease), std::time(nullptr) + 3600);
    host().must({"cp", file("leases", leases), "/var/lib/libvirt/dnsmasq/virbr0.status"});
    for (const char* name : {"default", "lab"}) host().virsh({"net-start", name});
    host().vnet({"list"});
    before_ = host().files();
  }
  void TearDown() override {
    if (host_) host().vnet({"libvirt", "disable", "--live"});
  }

  LibvirtHost& host() { return *host_; }
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(host().folder() / name) << text;
    return host().folder() / name;
  }
  nlohmann::json status() {
    Output told = host().vnet({"libvirt", "status", "--json"});
    EXPECT_TRUE(told.ok()) << told.err;
    return nlohmann::json::parse(told.out, nullptr, false);
  }
  void take_over(const Argv& more = {}) {
    Argv words{"libvirt", "enable"};
    words.insert(words.end(), more.begin(), more.end());
    Output done = host().vnet(words);
    ASSERT_TRUE(done.ok()) << done.out << done.err
                           << host().sh("tail -n 20 " + (host().folder() / "jobs/*.log").string()).out;
  }
  void give_back(const Argv& more = {}) {
    Argv words{"libvirt", "disable"};
    words.insert(words.end(), more.begin(), more.end());
    Output done = host().vnet(words);
    ASSERT_TRUE(done.ok()) << done.out << done.err;
  }
  void expect_ours() {
    EXPECT_EQ(status()["server"], "vnet-bpf");
    EXPECT_EQ(status()["state"], "on");
    EXPECT_THAT(host().vnet({"list"}).out, HasSubstr("default"));
    for (const char* name : {"default", "lab"}) EXPECT_THAT(host().virsh({"net-list"}), HasSubstr(name));
  }
  void expect_as_before() {
    EXPECT_EQ(status()["server"], "libvirt");
    EXPECT_EQ(status()["state"], "off");
    EXPECT_THAT(status()["units"].dump(), Not(HasSubstr("vnet-bpf.service\",\"enabled\":\"enabled")));
    for (const char* name : {"default", "lab"}) EXPECT_THAT(host().virsh({"net-list"}), HasSubstr(name));
    std::map<std::string, std::string> now = host().files();
    for (const auto& [path, is] : before_) EXPECT_EQ(is, now[path]) << path;
    // Folders of vnet-bpf's own, which its units make as well.
    for (const auto& [path, is] : now) {
      if (before_.contains(path)) continue;
      EXPECT_THAT(path,
                  testing::MatchesRegex("/(etc|var/lib)/vnet-bpf(/networks|/networks/autostart|/leases)?"));
    }
  }

  // Killed when it has begun its step of that number.
  void kill_in_step(const std::string& verb, int number) {
    host().sh(
        fmt::format("out={0}/told; : > $out; {1} libvirt {2} > $out 2>&1 & p=$!; "
                    "while kill -0 $p 2>/dev/null && [ $(wc -l < $out) -lt {3} ]; do :; done; "
                    "kill -9 $p 2>/dev/null; wait $p 2>/dev/null",
                    host().folder().string(), Playground::program(), verb, number));
  }

 private:
  std::optional<LibvirtHost> host_;
  std::map<std::string, std::string> before_;
};

INSTANTIATE_TEST_SUITE_P(, TakeoverTest, testing::Values(Daemons::Monolithic, Daemons::Modular),
                         [](const auto& info) {
                           return info.param == Daemons::Monolithic ? "monolithic" : "modular";
                         });

TEST_P(TakeoverTest, VirshSeesOurNetworksAndThenLibvirtsAsTheyWere) {
  EXPECT_EQ(status()["kind"], GetParam() == Daemons::Monolithic ? "monolithic" : "modular");
  EXPECT_EQ(status()["libvirt_version"], "9.0.0");
  EXPECT_EQ(status()["driver_supports_version"], true);
  Output steps = host().vnet({"libvirt", "enable", "--dry-run"});
  EXPECT_THAT(steps.out, HasSubstr("Stop libvirt's network lab"));
  expect_as_before();

  take_over();
  expect_ours();
  EXPECT_THAT(host().virsh({"net-list", "--autostart"}), Not(HasSubstr("lab")));
  EXPECT_THAT(host().virsh({"net-dumpxml", "default"}), HasSubstr("3e3fce45-4f53-4fa7-bb32-11f34168b82b"));
  EXPECT_THAT(host().virsh({"net-dhcp-leases", "default"}), HasSubstr("192.168.122.150"));
  EXPECT_THAT(host().sh("nft list ruleset; iptables-save").out, Not(HasSubstr("LIBVIRT_FWO -s")));
  const auto calls = host().calls();
  Output again = host().vnet({"libvirt", "enable"});
  EXPECT_TRUE(again.ok());
  EXPECT_THAT(again.out, HasSubstr("Nothing to do"));
  EXPECT_EQ(host().calls(), calls);

  give_back();
  expect_as_before();
  again = host().vnet({"libvirt", "disable"});
  EXPECT_TRUE(again.ok());
  EXPECT_THAT(again.out, HasSubstr("Nothing to do"));
  EXPECT_THAT(host().virsh({"net-dhcp-leases", "default"}), HasSubstr("192.168.122.150"));
}

TEST_P(TakeoverTest, AnInterruptedRunIsFinishedOrUndoneByTheNext) {
  for (int step : {1, 6, 12, 17}) {
    SCOPED_TRACE(step);
    kill_in_step("enable", step);
    if (step % 2 == 0) {
      give_back();
      expect_as_before();
    }
    take_over();
    expect_ours();
    kill_in_step("disable", step);
    if (step == 12) {
      take_over();
      expect_ours();
    }
    give_back();
    expect_as_before();
  }
}

TEST_P(TakeoverTest, WhatFailsIsUndone) {
  host().must({"mkdir", "-p", "/etc/systemd/system/vnet-bpf.service.d"});
  host().must({"cp", file("broken.conf", "[Service]\nExecStart=/bin/false\n"),
               "/etc/systemd/system/vnet-bpf.service.d/broken.conf"});
  host().systemd("Reload");
  Output refused = host().vnet({"libvirt", "enable"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("Start vnet-bpf.service"));
  EXPECT_THAT(refused.err, HasSubstr("everything has been undone"));
  host().must({"rm", "-r", "/etc/systemd/system/vnet-bpf.service.d"});
  host().systemd("Reload");
  expect_as_before();
}

TEST_P(TakeoverTest, AGuestThatRunsIsNamedOrComesAlongAndGoesBack) {
  auto image = machine_image();
  if (!image) GTEST_SKIP() << image.error();
  auto card = fmt::format(
      "<interface type='network'><mac address='{}'/><source network='default'/><model "
      "type='virtio'/></interface>",
      moved_mac);
  host().virsh({"define", libvirt_domain_file(host().folder(), *image, {.name = "g1", .interface = card})});
  host().virsh({"start", "g1"});
  VirtualMachine guest(host().folder() / "g1.shell", host().folder() / "g1.console");
  ASSERT_TRUE(guest.wait_up()) << guest.console();
  auto reaches_outside = [&] {
    return wait_until([&] { return guest.sh("ping -c 1 -W 2 203.0.113.1").ok(); }, seconds(40));
  };
  ASSERT_TRUE(reaches_outside());
  const auto address = guest.sh("ip addr show dev eth0 | grep inet").out;

  Output refused = host().vnet({"libvirt", "enable"});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("g1 uses network default"));
  EXPECT_THAT(refused.err, HasSubstr("--live"));

  take_over({"--live"});
  expect_ours();
  EXPECT_THAT(status()["networks"].dump(), HasSubstr("\"guests\":[\"g1\"]"));
  EXPECT_TRUE(reaches_outside()) << host().vnet({"ports"}).out;
  EXPECT_EQ(guest.sh("ip addr show dev eth0 | grep inet").out, address);
  EXPECT_THAT(host().vnet({"ports"}).out, HasSubstr(moved_mac));

  EXPECT_EQ(host().vnet({"libvirt", "disable"}).status, 1);
  give_back({"--live"});
  EXPECT_EQ(status()["server"], "libvirt");
  EXPECT_TRUE(reaches_outside()) << host().sh("bridge link; ip addr").out;
  EXPECT_THAT(status()["networks"].dump(), HasSubstr("\"guests\":[\"g1\"]"));
  EXPECT_THAT(host().vnet({"ports"}).out, Not(HasSubstr(moved_mac)));
  host().virsh({"destroy", "g1"});
}

}  // namespace
}  // namespace vnet::test

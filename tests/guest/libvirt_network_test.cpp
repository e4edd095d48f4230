// SPDX-License-Identifier: GPL-2.0-or-later
// The real libvirtd with our network driver: guests whose interface is of type `network`, as they are written
// everywhere, on a network of ours.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

#include "tests/support/libvirt.h"
#include "tests/support/playground.h"

namespace vnet::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::seconds;
using testing::HasSubstr;
using testing::Not;

constexpr const char* card_mac = "52:54:00:00:00:01";
#ifdef VNET_LIBVIRT_DRIVER
const char* const plugin = VNET_LIBVIRT_DRIVER;
#else
const char* const plugin = "";  // no libvirt-dev when this was built
#endif
const char* const default_xml = R"(<network><name>default</name>
<uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid><forward mode='nat'/>
<bridge name='virbr0' stp='off'/><mac address='52:54:00:00:00:fe'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.100' end='192.168.122.200'/></dhcp></ip>
</network>)";

class LibvirtNetworkTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    if (auto missing = Libvirt::missing(); !missing.empty()) GTEST_SKIP() << missing;
    if (!fs::exists(plugin)) GTEST_SKIP() << "the driver was not built (libvirt-dev)";
    auto image = machine_image();
    if (!image) GTEST_SKIP() << image.error();
    image_ = *image;
    ground_.emplace();
    fs::create_directories(drivers());
    for (const auto& entry : fs::directory_iterator("/usr/lib/x86_64-linux-gnu/libvirt/connection-driver"))
      fs::create_symlink(entry.path(), drivers() / entry.path().filename());
    fs::remove(drivers() / "libvirt_driver_network.so");
    fs::create_symlink(plugin, drivers() / "libvirt_driver_network.so");
    run_.emplace(start("run", "run.log"));
    serve();
  }
  void TearDown() override {
    if (!ground_) return;
    libvirt_.reset();
    serve_.reset();
    run_.reset();
    ground_->vnet({"stop", "default"});
    ground_->vnet({"undefine", "default"});
  }

  Playground& ground() { return *ground_; }
  Libvirt& libvirt() { return *libvirt_; }
  fs::path folder() { return ground_->state_dir(); }
  fs::path drivers() { return folder() / "drivers"; }

  Background start(const std::string& words, const std::string& log) {
    return ground().host().background(
        {"sh", "-c",
         fmt::format("exec env VNET_BPF_STATE_DIR={0} " VNET_PROGRAM " {1} >> {0}/{2} 2>&1",
                     folder().string(), words, log)});
  }
  void serve() {
    auto socket = (folder() / "sock").string();
    serve_.emplace(start("serve --socket " + socket, "serve.log"));
    ASSERT_TRUE(wait_until([&] {
      return execute({"virsh", "-c", "network+unix:///system?socket=" + socket, "uri"}).ok();
    }));
  }
  void kill_server() {
    ::kill(serve_->pid(), SIGKILL);
    serve_.reset();
  }
  std::string our_driver() {
    return fmt::format("LIBVIRT_DRIVER_DIR={} VNET_BPF_NETWORK_SOCKET={}/sock", drivers().string(),
                       folder().string());
  }
  void start_libvirtd(const std::string& environment) {
    libvirt_.emplace(ground().host(), folder() / "libvirt", "VNET_BPF=true", environment);
  }
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder() / name) << text;
    return folder() / name;
  }
  void define_guest(const std::string& more = "") {
    auto card = fmt::format(
        "<interface type='network'><mac address='{}'/><source network='default'/><model type='virtio'/>{}"
        "</interface>",
        card_mac, more);
    libvirt().must({"define", libvirt().domain_file(image_, {.name = "g1", .interface = card})});
  }
  nlohmann::json port() {
    for (auto& entry : ground().vnet_json({"ports"}))
      if (entry["mac"] == card_mac) return entry;
    return {};
  }
  bool reaches_outside(VirtualMachine& guest) {
    return wait_until([&] { return guest.sh("ping -c 1 -W 2 203.0.113.1").ok(); }, seconds(40));
  }

 private:
  MachineImage image_;
  std::optional<Playground> ground_;
  std::optional<Background> run_, serve_;
  std::optional<Libvirt> libvirt_;
};

TEST_F(LibvirtNetworkTest, AnUnchangedGuestIsServed) {
  start_libvirtd(our_driver());
  std::string in_a_vlan = default_xml;
  in_a_vlan.insert(in_a_vlan.find("</network>"), "<vlan><tag id='42'/></vlan>");
  libvirt().must({"net-define", file("default.xml", in_a_vlan)});
  libvirt().must({"net-start", "default"});
  define_guest("<port isolated='yes'/><vlan><tag id='42'/></vlan>");
  libvirt().must({"start", "g1"});
  auto guest = libvirt().machine("g1");
  ASSERT_TRUE(guest->wait_up()) << guest->console();
  EXPECT_TRUE(reaches_outside(*guest)) << ground().vnet({"ports"}).out << guest->sh("ip addr").out;
  EXPECT_THAT(guest->sh("ip addr show dev eth0").out, HasSubstr("inet 192.168.122.1"));
  EXPECT_EQ(port()["guest"], "g1");
  EXPECT_EQ(port()["isolated"], true);
  EXPECT_EQ(port()["vlan"]["tags"], nlohmann::json({42}));
  EXPECT_THAT(libvirt().must({"domifaddr", "g1"}), HasSubstr("192.168.122.1"));
  EXPECT_THAT(libvirt().must({"net-dhcp-leases", "default"}), HasSubstr(card_mac));
  EXPECT_THAT(libvirt().must({"net-dumpxml", "default"}), HasSubstr("connections='1'"));

  // Nobody's end is the guest's.
  kill_server();
  EXPECT_FALSE(libvirt().virsh({"net-list"}).ok());
  EXPECT_TRUE(reaches_outside(*guest));
  serve();
  EXPECT_THAT(libvirt().must({"net-list"}), HasSubstr("default"));
  auto ports = libvirt().must({"net-port-list", "default"});
  libvirt().restart();
  EXPECT_EQ(libvirt().must({"net-port-list", "default"}), ports);
  EXPECT_TRUE(reaches_outside(*guest));

  // The network is started anew, and the guest is on it again.
  libvirt().must({"net-destroy", "default"});
  EXPECT_FALSE(guest->sh("ping -c 1 -W 1 203.0.113.1").ok());
  libvirt().must({"net-start", "default"});
  EXPECT_TRUE(reaches_outside(*guest)) << ground().vnet({"ports"}).out;

  libvirt().must({"destroy", "g1"});
  EXPECT_TRUE(wait_until([&] { return port().is_null(); }));
  EXPECT_THAT(libvirt().must({"net-port-list", "default"}), Not(HasSubstr("-")));
}

TEST_F(LibvirtNetworkTest, ARunningGuestComesAlong) {
  start_libvirtd("");  // libvirt's own network driver
  libvirt().must({"net-define", file("default.xml", default_xml)});
  libvirt().must({"net-start", "default"});
  define_guest();
  libvirt().must({"start", "g1"});
  auto guest = libvirt().machine("g1");
  ASSERT_TRUE(guest->wait_up()) << guest->console();
  ASSERT_TRUE(reaches_outside(*guest));
  auto before = guest->sh("ip addr show dev eth0 | grep inet").out;

  libvirt().must({"net-destroy", "default"});
  ground().vnet({"up", folder() / "default.xml"});
  libvirt().restart(our_driver());
  EXPECT_TRUE(wait_until([&] { return !port().is_null(); })) << libvirt().log();
  EXPECT_EQ(port()["guest"], "g1");
  EXPECT_TRUE(reaches_outside(*guest)) << ground().vnet({"ports"}).out;
  EXPECT_EQ(guest->sh("ip addr show dev eth0 | grep inet").out, before) << "and keeps its address";
  libvirt().must({"destroy", "g1"});
}

}  // namespace
}  // namespace vnet::test

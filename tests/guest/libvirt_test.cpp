// SPDX-License-Identifier: GPL-2.0-or-later
// The real libvirt starts the guests: what `run` sees of them, and what the hook tells.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "tests/support/libvirt.h"
#include "tests/support/packet.h"
#include "tests/support/playground.h"

namespace vnet::test {
namespace {

using std::chrono::seconds;
using testing::Contains;
using testing::HasSubstr;

constexpr const char* mac1 = "52:54:00:00:00:01";
constexpr const char* strange_mac = "02:00:5e:00:53:01";  // nobody's prefix: fe tells nothing

class LibvirtTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (geteuid() != 0) missing_ = "needs root";
    if (missing_.empty()) missing_ = Libvirt::missing();
    if (!missing_.empty()) return;
    auto image = machine_image();
    if (!image) {
      missing_ = image.error();
      return;
    }
    image_ = *image;
    ground_ = std::make_unique<Playground>();
    libvirt_ = std::make_unique<Libvirt>(
        ground_->host(), ground_->state_dir() / "libvirt",
        "VNET_BPF=" VNET_PROGRAM " VNET_BPF_STATE_DIR=" + ground_->state_dir().string());
    std::ofstream(ground_->state_dir() / "default.xml")
        << R"(<network><name>default</name><forward mode='nat'/>
<bridge name='virbr0' stp='off'/><mac address='52:54:00:00:00:fe'/>
<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.100' end='192.168.122.200'/></dhcp></ip>
<ip family='ipv6' address='fd00:122::1' prefix='64'/>
</network>)";
  }
  static void TearDownTestSuite() {
    libvirt_.reset();
    ground_.reset();
  }
  void SetUp() override {
    if (!missing_.empty()) GTEST_SKIP() << missing_;
  }
  void TearDown() override {
    if (!missing_.empty()) return;
    run_.reset();
    for (const char* guest : {"g1", "g2"}) {
      libvirt().virsh({"destroy", guest});
      libvirt().virsh({"undefine", guest});
    }
    ground_->vnet({"stop", "default"});
    ground_->vnet({"undefine", "default"});
  }

  static Playground& ground() { return *ground_; }
  static Namespace& host() { return ground_->host(); }
  static Libvirt& libvirt() { return *libvirt_; }
  static std::string network_file() { return ground_->state_dir() / "default.xml"; }

  void vnet(const Argv& words) {
    Output output = ground().vnet(words);
    EXPECT_TRUE(output.ok()) << testing::PrintToString(words) << output.err;
  }
  void run() {
    std::string command =
        fmt::format("exec env VNET_BPF_STATE_DIR={0} " VNET_PROGRAM " run >> {0}/run.log 2>&1",
                    ground().state_dir().string());
    run_.emplace(host().background({"sh", "-c", command}));
    EXPECT_TRUE(wait_until([&] { return std::filesystem::exists(ground().state_dir() / "run/run.lock"); }));
  }
  void define(const std::string& name, const std::string& interface) {
    libvirt().virsh({"undefine", name});
    libvirt().must({"define", libvirt().domain_file(image_, {.name = name, .interface = interface})});
  }
  static std::string on_bridge(const std::string& mac, const std::string& more = "") {
    return fmt::format(
        "<interface type='bridge'><mac address='{}'/><source bridge='virbr0'/><model type='virtio'/>{}"
        "</interface>",
        mac, more);
  }
  nlohmann::json port_with(const std::string& mac) {
    for (auto& entry : ground().vnet_json({"ports"}))
      if (entry["mac"] == mac) return entry;
    return {};
  }
  bool attached(const std::string& mac) {
    return wait_until([&] { return !port_with(mac).is_null(); }, seconds(10));
  }
  bool gone(const std::string& mac) {
    return wait_until([&] { return port_with(mac).is_null(); }, seconds(10));
  }
  static void expect_served(const std::string& name) {
    auto guest = libvirt().machine(name);
    ASSERT_TRUE(guest->wait_up()) << guest->console();
    Output output;
    EXPECT_TRUE(
        wait_until([&] { return (output = guest->sh("ping -c 1 -W 2 203.0.113.1")).ok(); }, seconds(20)))
        << output.out << ground().vnet({"ports"}).out << guest->sh("ip addr").out;
    EXPECT_THAT(guest->sh("ip addr show dev eth0").out, HasSubstr("inet 192.168.122.1"));
  }

  // Some lines of the table in docs/migrating.md, on whichever network the guest is.
  struct Differences {
    bool dropped_from_outside = false, strange_mac_passes = false, served_without_rules = false;
    bool entered_by_ipv6 = false, private_address_leaves = false, bpdu_floods = false;
    bool strange_source_leaves = false, low_port_is_translated = false, policy_drop_stops_it = false;
  };
  // A frame from the guest itself, past its stack.
  static void send_raw(VirtualMachine& guest, const Bytes& frame) {
    std::string text;
    for (std::uint8_t byte : frame) text += fmt::format("\\x{:02x}", byte);
    EXPECT_TRUE(guest.sh("printf '" + text + "' | socat -u - INTERFACE:eth0").ok());
  }
  // Whether a sniffer there sees it within a few seconds, while it is sent again and again.
  static bool is_seen(Namespace& where, const std::string& interface, const std::string& filter,
                      const std::function<void()>& send) {
    std::string seen = ground().state_dir() / "seen";
    std::filesystem::remove(seen);
    Background sniffer = where.background(
        {"sh", "-c",
         fmt::format("tcpdump -Z root -nn -i {} -c 1 '{}' && touch {}", interface, filter, seen)});
    return wait_until([&] { return send(), std::filesystem::exists(seen); }, seconds(5));
  }
  static Packet to_gateway(const std::string& source) {
    return Ethernet{.src = mac1, .dst = "52:54:00:00:00:fe"} / Ipv4{.src = source, .dst = "203.0.113.1"};
  }
  static void look_at_frames(VirtualMachine& guest, const std::string& address, Differences& found) {
    auto leaves = [&](const std::string& filter, const Packet& packet) {
      return is_seen(ground().outside(), "eth0", filter, [&] { send_raw(guest, packet); });
    };
    found.private_address_leaves =
        leaves("src net 192.168.122.0/24",
               to_gateway(address) / Tcp{.src_port = 4711, .dst_port = 81, .flags = "R"});
    found.strange_source_leaves = leaves(
        "udp dst port 9001", to_gateway("10.9.9.9") / Udp{.src_port = 4711, .dst_port = 9001} / Payload(8));
    found.low_port_is_translated =
        leaves("src 203.0.113.2 and udp dst port 9002 and udp src portrange 1024-65535",
               to_gateway(address) / Udp{.src_port = 500, .dst_port = 9002} / Payload(8));
    host().must(
        "ip link add probe0 type veth peer name probe1; ip link set probe0 master virbr0; "
        "ip link set probe0 up; ip link set probe1 up");
    EXPECT_TRUE(is_seen(host(), "probe1", "arp",
                        [&] { guest.sh("ip neigh flush dev eth0; ping -c 1 -W 1 192.168.122.77"); }));
    found.bpdu_floods = is_seen(host(), "probe1", "ether dst 01:80:c2:00:00:00", [&] {
      send_raw(guest, Ethernet{.src = mac1, .dst = "01:80:c2:00:00:00", .type = 38} / Payload(60));
    });
    host().must("ip link delete probe0");
  }
  static bool enters_by_ipv6(VirtualMachine& guest) {
    std::string address;
    wait_until([&] {
      address = guest.sh("ip addr show dev eth0 | grep -o 'fd00:122:[^/]*' | head -n 1").out;
      return !address.empty();
    });
    ground().outside().must("ip -6 route replace fd00:122::/64 via 2001:db8:113::2");
    guest.sh(
        "(socat TCP6-LISTEN:8022,fork,reuseaddr EXEC:cat >/dev/null 2>&1 &); "
        "until netstat -ltn | grep -q :8022; do sleep 0.1; done");
    bool entered =
        ground()
            .outside()
            .sh("timeout 3 socat -u /dev/null TCP6:[" + address.substr(0, address.find('\n')) + "]:8022")
            .ok();
    ground().outside().must("ip -6 route del fd00:122::/64");
    return entered;
  }
  static Differences look_for_differences(const std::string& name) {
    Differences found;
    auto guest = libvirt().machine(name);
    std::string address = guest->sh("ip addr show dev eth0 | grep -o '192.168.122.[0-9]*' | head -n 1").out;
    ground().outside().must("ip route replace 192.168.122.0/24 via 203.0.113.2");
    // A refusal comes at once.
    found.dropped_from_outside =
        ground()
            .outside()
            .sh("timeout 3 socat -u /dev/null TCP:" + address.substr(0, address.find('\n')) + ":22")
            .status == 124;
    ground().outside().must("ip route del 192.168.122.0/24");
    found.entered_by_ipv6 = enters_by_ipv6(*guest);
    look_at_frames(*guest, address.substr(0, address.find('\n')), found);
    host().must("iptables -P FORWARD DROP");
    found.policy_drop_stops_it = !guest->sh("ping -c 3 -W 1 203.0.113.1").ok();
    host().must("iptables -P FORWARD ACCEPT");
    guest->sh("ip link set eth0 down; ip link set eth0 address 52:54:00:00:00:99; ip link set eth0 up");
    found.strange_mac_passes = guest->sh("ping -c 3 -W 1 192.168.122.1").ok();
    guest->sh(
        fmt::format("ip link set eth0 down; ip link set eth0 address {}; ip link set eth0 up; "
                    "ip route replace default via 192.168.122.1",
                    mac1));
    guest->sh("until ping -c 1 -W 1 192.168.122.1; do :; done");
    host().must("iptables -t nat -F");
    found.served_without_rules = guest->sh("ping -c 3 -W 1 203.0.113.1").ok();
    return found;
  }

 private:
  static std::string missing_;
  static MachineImage image_;
  static std::unique_ptr<Playground> ground_;
  static std::unique_ptr<Libvirt> libvirt_;
  std::optional<Background> run_;
};

std::string LibvirtTest::missing_;
MachineImage LibvirtTest::image_;
std::unique_ptr<Playground> LibvirtTest::ground_;
std::unique_ptr<Libvirt> LibvirtTest::libvirt_;

TEST_F(LibvirtTest, AGuestAndACardThatIsPluggedInLater) {
  vnet({"up", network_file()});
  run();
  define("g1", on_bridge(mac1, "<port isolated='yes'/>"));
  libvirt().must({"start", "g1"});
  ASSERT_TRUE(attached(mac1));
  auto port = port_with(mac1);
  EXPECT_EQ(libvirt().interface_of("g1", mac1), port["interface"].get<std::string>());
  EXPECT_EQ("virtio", port["model"].get<std::string>());  // only the hook knows these two
  EXPECT_TRUE(port["isolated"].get<bool>());
  expect_served("g1");
  // No hook is called for it.
  libvirt().must(
      {"attach-interface", "g1", "bridge", "virbr0", "--mac", "52:54:00:00:00:02", "--model", "virtio"});
  EXPECT_TRUE(attached("52:54:00:00:00:02"));
  libvirt().must({"detach-interface", "g1", "bridge", "--mac", "52:54:00:00:00:02"});
  EXPECT_TRUE(gone("52:54:00:00:00:02"));
  libvirt().must({"destroy", "g1"});
  EXPECT_TRUE(gone(mac1));
}

TEST_F(LibvirtTest, TheHookAloneTellsWhatTheDomainSays) {
  vnet({"up", network_file()});
  define("g1", on_bridge(strange_mac,
                         "<link state='down'/><filterref filter='no-ip-spoofing'><parameter name='IP' "
                         "value='192.168.122.77'/></filterref>"));
  libvirt().must({"start", "g1", "--paused"});
  auto port = port_with(strange_mac);
  ASSERT_FALSE(port.is_null()) << ground().vnet({"ports"}).out;
  EXPECT_THAT(port["filters"].get<std::vector<std::string>>(), Contains("no-ip-spoofing"));
  EXPECT_THAT(port["ips"].get<std::vector<std::string>>(), Contains("192.168.122.77"));
  EXPECT_EQ("down", port["state"].get<std::string>());
  // libvirtd finds its guests again, and the hook hears of them.
  vnet({"detach", port["interface"]});
  EXPECT_TRUE(port_with(strange_mac).is_null());
  libvirt().restart();
  EXPECT_TRUE(attached(strange_mac));
  // The next guest gets the tap's name, and nothing else of the one before.
  libvirt().must({"destroy", "g1"});
  EXPECT_TRUE(port_with(strange_mac).is_null());
  define("g2", on_bridge(mac1));
  libvirt().must({"start", "g2", "--paused"});
  auto second = port_with(mac1);
  ASSERT_FALSE(second.is_null());
  EXPECT_TRUE(second["filters"].empty());
  EXPECT_EQ("up", second["state"].get<std::string>());
}

TEST_F(LibvirtTest, AFilterThatCannotBeKeptStopsTheGuest) {
  vnet({"up", network_file()});
  auto filter = ground().state_dir() / "filter.xml";
  std::ofstream(filter) << "<filter name='house-rule'><rule action='drop' direction='out'><mac "
                           "protocolid='0x1234'/></rule></filter>";
  libvirt().must({"nwfilter-define", filter});
  define("g1", on_bridge(mac1, "<filterref filter='house-rule'/>"));
  Output start = libvirt().virsh({"start", "g1", "--paused"});
  EXPECT_FALSE(start.ok());
  EXPECT_THAT(start.err, HasSubstr("house-rule"));
  EXPECT_THAT(start.err, HasSubstr("no such filter"));
  // Where no network of ours is concerned, the hook has no say.
  vnet({"stop", "default"});
  host().must("ip link add virbr0 type bridge; ip link set virbr0 up");
  Output other = libvirt().virsh({"start", "g1", "--paused"});
  EXPECT_TRUE(other.ok()) << other.err;
  libvirt().virsh({"destroy", "g1"});
  host().must("ip link delete virbr0");
}

// `virsh update-device --live`: the tap of a running guest goes from libvirt's bridge to ours and back.
TEST_F(LibvirtTest, ACardIsMovedWhileTheGuestRuns) {
  vnet({"up", network_file()});
  run();
  auto define_network = [&](const std::string& name, const std::string& rest) {
    std::ofstream(ground().state_dir() / (name + ".xml"))
        << "<network><name>" << name << "</name>" << rest << "</network>";
    libvirt().must({"net-define", ground().state_dir() / (name + ".xml")});
    libvirt().must({"net-start", name});
  };
  define_network(
      "theirs",
      "<forward mode='nat'/><bridge name='virbr7' stp='off'/><ip address='192.168.150.1' "
      "netmask='255.255.255.0'><dhcp><range start='192.168.150.100' end='192.168.150.200'/></dhcp></ip>");
  define_network("vnet-default", "<forward mode='bridge'/><bridge name='virbr0'/>");
  auto card = [&](const std::string& network) {
    return fmt::format(
        "<interface type='network'><mac address='{}'/><source network='{}'/><model "
        "type='virtio'/></interface>",
        mac1, network);
  };
  auto move = [&](const std::string& network) {
    std::ofstream(ground().state_dir() / "card.xml") << card(network);
    libvirt().must({"update-device", "g1", ground().state_dir() / "card.xml", "--live"});
  };
  define("g1", card("theirs"));
  libvirt().must({"start", "g1"});
  auto guest = libvirt().machine("g1");
  ASSERT_TRUE(guest->wait_up()) << guest->console();
  auto leased = [&](const std::string& net) {
    return wait_until(
        [&] {
          guest->sh("udhcpc -n -q -t 3 -T 1 -i eth0 -s /dhcp-event");
          return guest->sh("ip addr show dev eth0").out.find("inet " + net) != std::string::npos &&
                 guest->sh("ping -c 1 -W 2 203.0.113.1").ok();
        },
        seconds(40));
  };
  EXPECT_TRUE(leased("192.168.150.1")) << guest->sh("ip addr").out;
  EXPECT_TRUE(port_with(mac1).is_null());
  move("vnet-default");
  EXPECT_TRUE(attached(mac1)) << ground().vnet({"ports"}).out;
  EXPECT_TRUE(leased("192.168.122.1")) << guest->sh("ip addr").out;
  EXPECT_FALSE(ground().vnet_json({"flows"}).empty());
  move("theirs");
  EXPECT_TRUE(gone(mac1)) << ground().vnet({"ports"}).out;
  EXPECT_TRUE(leased("192.168.150.1")) << guest->sh("ip addr").out;
  libvirt().must({"destroy", "g1"});
  for (const char* network : {"theirs", "vnet-default"}) {
    libvirt().must({"net-destroy", network});
    libvirt().must({"net-undefine", network});
  }
}

// docs/migrating.md, there and back, with some lines of its table: one line of the guest changes.
TEST_F(LibvirtTest, AGuestMovesHereAndBack) {
  if (!std::getenv("VNET_GUEST_ALL"))
    GTEST_SKIP() << "takes half a minute; make vmtest runs it (VNET_GUEST_ALL=1)";
  std::string guest_line = "<source network='default'/>";
  auto card = [&] {
    return fmt::format("<interface type='network'><mac address='{}'/>{}<model type='virtio'/></interface>",
                       mac1, guest_line);
  };
  libvirt().must({"net-define", network_file()});
  libvirt().must({"net-start", "default"});
  define("g1", card());
  libvirt().must({"start", "g1"});
  expect_served("g1");
  Differences theirs = look_for_differences("g1");
  EXPECT_FALSE(theirs.dropped_from_outside) << "theirs answers";
  EXPECT_TRUE(theirs.strange_mac_passes);
  EXPECT_FALSE(theirs.served_without_rules);
  EXPECT_TRUE(theirs.entered_by_ipv6);
  EXPECT_TRUE(theirs.private_address_leaves);
  EXPECT_TRUE(theirs.bpdu_floods);
  libvirt().must({"destroy", "g1"});

  libvirt().must({"net-destroy", "default"});
  std::ofstream(ground().state_dir() / "dumped.xml")
      << libvirt().must({"net-dumpxml", "--inactive", "default"});
  vnet({"up", ground().state_dir() / "dumped.xml"});
  EXPECT_THAT(host().sh("ip link show virbr0").out, HasSubstr("52:54:00:00:00:fe"));
  std::ofstream(ground().state_dir() / "bpf.xml")
      << "<network><name>vnet-default</name><forward mode='bridge'/><bridge name='virbr0'/></network>";
  libvirt().must({"net-define", ground().state_dir() / "bpf.xml"});
  libvirt().must({"net-start", "vnet-default"});
  guest_line = "<source network='vnet-default'/>";
  define("g1", card());
  libvirt().must({"start", "g1"});
  EXPECT_FALSE(port_with(mac1).is_null());
  expect_served("g1");
  EXPECT_FALSE(ground().vnet_json({"flows"}).empty());
  Differences ours = look_for_differences("g1");
  EXPECT_TRUE(ours.dropped_from_outside);
  EXPECT_FALSE(ours.strange_mac_passes);
  EXPECT_TRUE(ours.served_without_rules);
  EXPECT_FALSE(ours.entered_by_ipv6);
  EXPECT_FALSE(ours.private_address_leaves);
  EXPECT_FALSE(ours.bpdu_floods);
  EXPECT_TRUE(ours.policy_drop_stops_it);
  for (const Differences& each : {theirs, ours}) {
    EXPECT_FALSE(each.strange_source_leaves);
    EXPECT_TRUE(each.low_port_is_translated);
  }
  libvirt().must({"destroy", "g1"});

  libvirt().must({"net-destroy", "vnet-default"});
  libvirt().must({"net-undefine", "vnet-default"});
  vnet({"stop", "default"});
  libvirt().must({"net-start", "default"});
  guest_line = "<source network='default'/>";
  define("g1", card());
  libvirt().must({"start", "g1", "--paused"});
  std::string tap = libvirt().interface_of("g1", mac1);
  EXPECT_THAT(host().sh("ip -o link show " + tap).out, HasSubstr("master virbr0"));
  EXPECT_TRUE(ground().vnet_json({"list"}).empty());
  libvirt().must({"destroy", "g1"});
  libvirt().must({"net-destroy", "default"});
  libvirt().must({"net-undefine", "default"});
}

}  // namespace
}  // namespace vnet::test

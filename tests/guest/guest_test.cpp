// SPDX-License-Identifier: GPL-2.0-or-later
// What only a real guest shows: its own DHCP client and stack, virtio-net's unfinished checksums and
// segments.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <vector>

#include "tests/guest/guest_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST_F(GuestTest, GetsAddressesOfBothFamilies) {
  for (VirtualMachine* guest : {&g1(), &g2()}) {
    EXPECT_THAT(address(*guest, "192.168.122.1"), StartsWith("192.168.122.1"));       // .100 to .200
    EXPECT_THAT(address(*guest, "fd00:122:"), HasSubstr("fd00:122::5054:ff:fe00:"));  // made of its MAC
  }
  if (mode().gateway != GuestMode::Gateway::ours) return;  // the leases are somebody else's
  std::string leases = vnet({"leases", "lab"}).out;
  EXPECT_THAT(leases, HasSubstr(address(g1(), "192.168.122.1")));
  EXPECT_THAT(leases, HasSubstr("52:54:00:00:00:02"));
}

TEST_F(GuestTest, PingsGatewayAndServer) {
  for (const std::string& target :
       std::set<std::string>{"192.168.122.1", "fd00:122::1", server4(), server6()})
    for (VirtualMachine* guest : {&g1(), &g2()}) expect_soon(*guest, "ping -c 2 -i 0.2 -W 2 " + target);
}

TEST_F(GuestTest, GuestsMeetWhereTheModeLetsThem) {
  for (const std::string& target : {address(g2(), "192.168.122.1"), address(g2(), "fd00:122:")}) {
    SCOPED_TRACE(target);
    ASSERT_FALSE(target.empty());
    if (mode().guests_meet)
      expect_soon(g1(), "ping -c 2 -W 2 " + target);
    else
      EXPECT_FALSE(g1().sh("ping -c 3 -W 1 " + target).ok());
    if (!mode().by_reflection) continue;
    reflect(false);
    EXPECT_FALSE(g1().sh("ping -c 3 -W 1 " + target).ok());
    reflect(true);
    expect_soon(g1(), "ping -c 2 -W 2 " + target);
  }
}

TEST_F(GuestTest, ResolvesNames) {
  std::string peer = address(g2(), "192.168.122.1");
  Output answer;
  EXPECT_TRUE(wait_until([&] {
    answer = g1().sh("nslookup g2.lab.test 192.168.122.1");
    return answer.out.find(peer) != std::string::npos;
  })) << answer.out;
}

// Each combination reaches other code: unfinished checksums, segments made by the host or by the guest.
TEST_F(GuestTest, TcpWithEveryOffload) {
  address(g1(), "192.168.122.1");
  std::string peer = address(g2(), "192.168.122.1");
  g2().sh(
      "head -c 2000000 /dev/urandom > /tmp/file; socat -U TCP4-LISTEN:8080,fork,reuseaddr OPEN:/tmp/file "
      ">/dev/null 2>&1 &");
  std::string peer_sum = g2().sh("sha1sum < /tmp/file").out;
  std::vector<std::pair<std::string, std::string>> sources = {
      {"TCP4:" + server4() + ":8080", sum_of_served_file()},
      {"TCP6:[" + server6() + "]:8080", sum_of_served_file()}};
  if (mode().guests_meet) sources.emplace_back("TCP4:" + peer + ":8080", peer_sum);
  const char* const offloads[] = {"tx on tso on gso on rx on gro on", "tso off", "tso off gso off", "tx off",
                                  "tx off rx off gro off"};
  for (const char* offload : offloads) {
    SCOPED_TRACE(offload);
    g1().sh("ethtool -K eth0 tx on rx on tso on gso on gro on");
    EXPECT_TRUE(g1().sh(fmt::format("ethtool -K eth0 {}", offload)).ok());
    for (const auto& [from, sum] : sources) {
      Output fetched = g1().sh("socat -u " + from + " - | sha1sum");
      EXPECT_EQ(sum, fetched.out) << from;
    }
  }
  g1().sh("ethtool -K eth0 tx on rx on tso on gso on gro on");
}

// The guest as the sender of bulk, which is where its segmentation offload shows.
TEST_F(GuestTest, UploadsWithEveryOffload) {
  address(g1(), "192.168.122.1");
  g1().sh("head -c 2000000 /dev/urandom > /tmp/upload");
  std::string sum = g1().sh("sha1sum < /tmp/upload").out;
  std::string got = ground().state_dir() / "got";
  for (const char* offload : {"tx on tso on gso on", "tso off gso off", "tx off"})
    for (const std::string& target : {"TCP4:" + server4() + ":9001", "TCP6:[" + server6() + "]:9001"}) {
      SCOPED_TRACE(std::string(offload) + " " + target);
      g1().sh("ethtool -K eth0 tx on tso on gso on");
      g1().sh(fmt::format("ethtool -K eth0 {}", offload));
      std::string family = target.substr(0, 4);
      Background sink =
          server().background({"socat", "-u", family + "-LISTEN:9001,reuseaddr", "CREATE:" + got});
      EXPECT_TRUE(wait_until([&] { return !server().sh("ss -Hltn sport = :9001").out.empty(); }));
      EXPECT_TRUE(g1().sh("socat -u FILE:/tmp/upload " + target).ok());
      EXPECT_TRUE(wait_until([&] { return server().sh("sha1sum < " + got).out == sum; }));
    }
  g1().sh("ethtool -K eth0 tx on tso on gso on");
}

TEST_F(GuestTest, DatagramsInFragments) {
  address(g1(), "192.168.122.1");
  Background echo4 = server().background({"socat", "UDP4-RECVFROM:9000,fork,bind=" + server4(), "EXEC:cat"});
  Background echo6 = server().background(
      {"socat", "UDP6-RECVFROM:9000,fork,ipv6only=1,bind=[" + server6() + "]", "EXEC:cat"});
  g1().sh("head -c 4000 /dev/urandom > /tmp/datagram");
  for (const std::string& target : {"UDP4:" + server4() + ":9000", "UDP6:[" + server6() + "]:9000"})
    expect_soon(g1(),
                fmt::format("socat -b8192 -T2 - {} < /tmp/datagram > /tmp/back; cmp /tmp/datagram /tmp/back",
                            target));
  expect_soon(g1(), "ping -c 1 -W 2 -s 4000 " + server4());
  expect_soon(g1(), "ping -c 1 -W 2 -s 4000 " + server6());
}

TEST_F(GuestTest, SeveralQueuesCarryTraffic) {
  ASSERT_FALSE(address(g2(), "192.168.122.1").empty());
  ASSERT_TRUE(g2().sh("ethtool -L eth0 combined 2").ok());
  EXPECT_THAT(g2().sh("ls /sys/class/net/eth0/queues").out,
              testing::AllOf(HasSubstr("rx-1"), HasSubstr("tx-1")));
  // A queue belongs to a processor: six connections on each, of some fifty segments of 64 kB and fewer
  // acknowledgements each.
  std::string fetch = "taskset $((i % 2 + 1)) socat -u TCP4:" + server4() + ":8080 - | sha1sum";
  auto before = queue_packets();
  Output sums =
      g2().sh(fmt::format("(for i in $(seq 12); do {} > /tmp/sum$i & done; wait); cat /tmp/sum*", fetch));
  auto after = queue_packets();
  ASSERT_EQ(4U, after.size());  // both ways of both
  for (const auto& [queue, packets] : after) EXPECT_GT(packets, before[queue] + 50) << queue;
  std::string expected;
  for (int i = 0; i < 12; ++i) expected += sum_of_served_file();
  EXPECT_EQ(expected, sums.out);
}

TEST_F(GuestTest, AnUnpluggedPortIsSilentUntilItIsPluggedAgain) {
  expect_soon(g1(), "ping -c 1 -W 2 " + server4());
  vnet({"set", "g1", "--link", "down"});
  EXPECT_FALSE(g1().sh("ping -c 2 -W 1 " + server4()).ok());
  EXPECT_FALSE(g1().sh("ping -c 2 -W 1 192.168.122.1").ok());
  vnet({"set", "g1", "--link", "up"});
  expect_soon(g1(), "ping -c 1 -W 2 " + server4());
}

TEST_F(GuestTest, ARebootedGuestIsTheSame) {
  std::string before = address(g1(), "192.168.122.1");
  ASSERT_FALSE(before.empty());
  ASSERT_TRUE(g1().reboot()) << g1().console();
  EXPECT_EQ(before, address(g1(), "192.168.122.1"));
  expect_soon(g1(), "ping -c 1 -W 2 " + server4());
  if (mode().guests_meet) expect_soon(g2(), "ping -c 1 -W 2 " + before);
}

// To another network of the same host: DHCPv6 instead of SLAAC, and frames of 9000 bytes.
TEST_F(GuestTest, MovesToANetworkWithDhcp6AndJumboFrames) {
  auto file = ground().state_dir() / "wide.xml";
  std::ofstream(file)
      << "<network><name>wide</name><forward mode='nat'/><bridge name='virbr6' stp='off'/>"
         "<mtu size='9000'/>"
         "<ip address='192.168.126.1' netmask='255.255.255.0'><dhcp><range start='192.168.126.100' "
         "end='192.168.126.200'/></dhcp></ip>"
         "<ip family='ipv6' address='fd00:126::1' prefix='64'><dhcp><range start='fd00:126::100' "
         "end='fd00:126::1ff'/></dhcp></ip></network>";
  vnet({"up", file});
  vnet({"detach", "g2"});
  vnet({"attach", "g2", "--network", "wide", "--mac", "52:54:00:00:00:02"});
  Output bound;
  EXPECT_TRUE(wait_until([&] {
    bound = g2().sh("dhclient -6 -1 -v -cf /dev/null -sf /dhcp6-event eth0 2>&1");
    return bound.ok();
  })) << bound.out;
  EXPECT_THAT(address(g2(), "fd00:126:"), StartsWith("fd00:126::1"));
  expect_soon(g2(), "ping -c 1 -W 2 fd00:126::1");
  // Whole: what was cut into pieces would not be that long.
  g2().sh("ip link set eth0 mtu 9000; ip addr add 192.168.126.9/24 dev eth0");
  for (const char* gateway : {"192.168.126.1", "fd00:126::1"}) {
    std::string seen = ground().state_dir() / "jumbo";
    std::filesystem::remove(seen);
    Background capture = host().background(
        {"sh", "-c", "tcpdump -nn -i g2 -c 2 'greater 8900' && touch " + seen});  // there and back
    EXPECT_TRUE(wait_until(
        [&] {
          g2().sh(fmt::format("ping -c 1 -W 1 -s 8900 {}", gateway));
          return std::filesystem::exists(seen);
        },
        std::chrono::seconds(20)))
        << gateway;
  }
  g2().sh("ip addr del 192.168.126.9/24 dev eth0; ip link set eth0 mtu 1500");
  vnet({"detach", "g2"});
  vnet({"attach", "g2", "--network", "lab", "--mac", "52:54:00:00:00:02"});
  vnet({"stop", "wide"});
}

}  // namespace
}  // namespace vnet::test

// SPDX-License-Identifier: GPL-2.0-or-later
// A host with somebody else's firewall, and a network with DHCP, DNS and both families whose guests want all
// of it.
#pragma once

#include <cstdlib>

#include "tests/e2e/real_packages_fixture.h"
#include "tests/support/service_manager.h"

namespace vnet::test {

// Docker's rules, as `iptables-nft-save` shows them after it has been started.
inline constexpr const char* docker_rules =
    "*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n:DOCKER - [0:0]\n"
    ":DOCKER-ISOLATION-STAGE-1 - [0:0]\n:DOCKER-ISOLATION-STAGE-2 - [0:0]\n:DOCKER-USER - [0:0]\n"
    "-A FORWARD -j DOCKER-USER\n-A FORWARD -j DOCKER-ISOLATION-STAGE-1\n"
    "-A FORWARD -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT\n"
    "-A FORWARD -o docker0 -j DOCKER\n-A FORWARD -i docker0 ! -o docker0 -j ACCEPT\n"
    "-A FORWARD -i docker0 -o docker0 -j ACCEPT\n"
    "-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2\n"
    "-A DOCKER-ISOLATION-STAGE-1 -j RETURN\n-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP\n"
    "-A DOCKER-ISOLATION-STAGE-2 -j RETURN\n-A DOCKER-USER -j RETURN\nCOMMIT\n";

class HostFirewallTest : public RealPackagesTest {
 protected:
  static std::string mode(const std::string& word) {
    return "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'><v:hostFirewall mode='" + word +
           "'/></v:network></metadata>";
  }
  static std::string lab_xml(const std::string& extra = "", const std::string& bridge = "") {
    return "<network><name>lab</name><forward mode='nat'><nat ipv6='yes'/></forward>"
           "<bridge name='virbr0' stp='off' " +
           bridge +
           "/><dns><host ip='192.168.122.7'><hostname>seven.test</hostname></host></dns>"
           "<ip address='192.168.122.1' netmask='255.255.255.0'><dhcp><range start='192.168.122.100' "
           "end='192.168.122.200'/></dhcp></ip><ip family='ipv6' address='fd00:122::1' prefix='64'>"
           "<dhcp><range start='fd00:122::100' end='fd00:122::200'/></dhcp></ip>" +
           extra + "</network>";
  }
  void up_lab(const std::string& extra = "", const std::string& bridge = "") {
    vnet({"up", file("lab.xml", lab_xml(extra, bridge))});
  }
  Namespace& fresh_guest(const std::string& name) {
    ground().add_guest(name);
    guest(name).must("sysctl -qw net.ipv6.conf.eth0.accept_ra=2");
    vnet({"attach", name, "--network", "lab"});
    wait_until_forwarding(name);
    return guest(name);
  }
  bool has_lease(const std::string& name) { return ground().udhcpc(name).ok(); }
  bool has_dhcp6(const std::string& name) {
    std::string lease = in_folder(name + ".dhcp6");
    return guest(name)
        .sh("timeout 20 unshare -m dhclient -6 -1 -cf /dev/null -sf /bin/true -lf " + lease + " -pf " +
            lease + ".pid eth0 2>&1; kill $(cat " + lease + ".pid) 2>/dev/null; grep iaaddr " + lease)
        .ok();
  }
  bool resolves(Namespace& from, const std::string& server) {
    return from.sh("busybox nslookup seven.test " + server).out.contains("192.168.122.7");
  }
  // All that a guest wants of its network, asked as it would.
  void expect_served(const std::string& name) {
    Namespace& from = guest(name);
    ASSERT_TRUE(has_lease(name)) << rules_seen();
    EXPECT_TRUE(has_dhcp6(name)) << rules_seen();
    EXPECT_TRUE(wait_until([&] { return from.sh("ip -6 route show default").out.contains("via fe80"); }));
    from.must("ip -6 addr add fd00:122::77/64 dev eth0 nodad");
    for (const char* server : {"192.168.122.1", "fd00:122::1"})
      EXPECT_TRUE(resolves(from, server)) << server << rules_seen();
    expect_outside(from);
  }
  void expect_outside(Namespace& from) {
    Echo web(outside(), Transport::Tcp, 9000), datagrams(outside(), Transport::Udp, 9000);
    both_families([&](bool v6) {
      EXPECT_EQ(100'000U, exchange(from, {eth0.theirs(v6), 9000}, 100'000)) << seen();
      EXPECT_TRUE(UdpSocket(from, fresh_port()).gets_answer({eth0.theirs(v6), 9000})) << seen();
    });
  }
  void expect_no_outside(Namespace& from) {
    Echo web(outside(), Transport::Tcp, 9000), datagrams(outside(), Transport::Udp, 9000);
    std::vector<Question> refused;
    for (bool v6 : {false, true}) refused.emplace_back(&from, Endpoint{eth0.theirs(v6), 9000});
    expect_refused(refused);
  }
  std::string rules_seen() { return host().sh("nft list ruleset").out; }
  std::string doctor() { return ground().vnet({"doctor"}).out; }
  void drop_by_policy() {
    for (const char* tables : {"iptables", "ip6tables"})
      host().must(std::string(tables) + " -P FORWARD DROP; " + tables + " -P INPUT DROP");
  }
  void load_docker() {
    for (const char* tables : {"iptables", "ip6tables"})
      host().must(std::string(tables) + "-restore <<'E'\n" + docker_rules + "E");
  }

  void run() {
    manager_.emplace(ground().state_dir() / "notify");
    run_.emplace(host().background(
        {"sh", "-c",
         on_bus(fmt::format("VNET_BPF_STATE_DIR={0} NOTIFY_SOCKET={1} {2} run > {0}/run.log 2>&1",
                            ground().state_dir().string(), manager_->path().string(),
                            Playground::program()))}));
    ASSERT_TRUE(manager_->expect("READY=1")) << sh("cat " + in_folder("run.log")).out;
  }

  // firewalld with its configuration, and with our zone, in the test's folder.
  void start_firewalld() {
    start_bus();
    for (const char* part : {"zones", "policies"})
      host().must(fmt::format("mkdir -p {0}/firewalld/{1}; cp {2}/firewalld/{1}/*.xml {0}/firewalld/{1}",
                              ground().state_dir().string(), part, VNET_SOURCE_DIR "/packaging"));
    launch_firewalld();
  }
  void launch_firewalld() {
    start_daemon("exec env " + on_bus("firewalld --nofork --nopid --system-config ") +
                 in_folder("firewalld") + " --log-file " + in_folder("log"));
    ASSERT_TRUE(wait_until([&] { return firewall_cmd("--state").ok(); }, 4 * patience))
        << sh("cat " + in_folder("log")).out;
  }
  Output firewall_cmd(const std::string& words) { return host().sh(on_bus("firewall-cmd ") + words); }
  void firewalld(const std::string& words) {
    Output told = firewall_cmd(words);
    EXPECT_TRUE(told.ok()) << words << ": " << told.err;
  }
  std::string zone_of(const std::string& interface) {
    return firewall_cmd("--get-zone-of-interface=" + interface).out;
  }
  // Commands find the bus of the test.
  struct OnBus {
    explicit OnBus(const std::string& address) { ::setenv("DBUS_SYSTEM_BUS_ADDRESS", address.c_str(), 1); }
    ~OnBus() { ::unsetenv("DBUS_SYSTEM_BUS_ADDRESS"); }
  };

  // Its own files instead of the system's, which it would write to.
  void ufw(const std::string& words) {
    std::string at = ground().state_dir().string();
    host().must("set -e; [ -d " + at + "/ufw ] || { cp -a /etc/ufw " + at + "/ufw; cp /etc/default/ufw " +
                at + "/ufw.default; }; unshare -m sh -ec 'mount --bind " + at +
                "/ufw /etc/ufw; mount --bind " + at + "/ufw.default /etc/default/ufw; ufw " + words + "'");
  }

 private:
  std::optional<ServiceManager> manager_;
  std::optional<Background> run_;
};

}  // namespace vnet::test

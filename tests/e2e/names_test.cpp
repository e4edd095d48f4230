// SPDX-License-Identifier: GPL-2.0-or-later
// Guests' names on the host: through systemd-resolved (<domain register='yes'>), and through glibc by what
// dnsmasq has written of leases (nss/nss_vnet_bpf.c).
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>

#include "tests/e2e/firewall_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class NamesTest : public HostFirewallTest {
 protected:
  static std::string named_xml(const char* registers) {
    std::string xml = lab_xml();
    return xml.insert(xml.find("<dns>"),
                      fmt::format("<domain name='lab.test' localOnly='yes' register='{}'/>", registers));
  }
  // A client of its own, so that it can be told to give its lease back.
  Background lease_of(const std::string& name) {
    std::string script = file(name + ".sh",
                              "#!/bin/sh\ncase $1 in bound|renew) ip addr replace $ip/24 dev eth0;; "
                              "deconfig) ip -4 addr flush dev eth0;; esac\n");
    sh("chmod +x " + script);
    return guest(name).background({"sh", "-c",
                                   "echo $$ > " + in_folder(name + ".pid") +
                                       "; exec busybox udhcpc -f -R -i eth0 -t 20 -T 1 -x hostname:" + name +
                                       " -s " + script});
  }
  void give_back(const std::string& name) { host().must("kill $(cat " + in_folder(name + ".pid") + ")"); }
  // As any program of the host asks, with our module for glibc.
  std::string known_as(const std::string& name, const std::string& of = "ahostsv4") {
    std::string conf = file("nsswitch.conf", "hosts: vnet_bpf\n");
    return host()
        .sh("unshare -m sh -c 'mount --bind " + conf + " /etc/nsswitch.conf; LD_LIBRARY_PATH=" +
            std::filesystem::path(VNET_PROGRAM).parent_path().string() +
            " VNET_BPF_STATE_DIR=" + ground().state_dir().string() + " getent " + of + " \"" + name + "\"'")
        .out;
  }

  // VNET_SYSTEMD_RESOLVED: one that is not installed, because that would change the machine's resolv.conf.
  static std::string resolved_program() {
    const char* other = std::getenv("VNET_SYSTEMD_RESOLVED");
    return other && *other ? other : "/lib/systemd/systemd-resolved";
  }
  // With a user of its own, and folders that are gone with it.
  void start_resolved() {
    start_bus();
    for (const char* base : {"passwd", "group"})
      host().must(fmt::format(
          "cat /etc/{0} > {1}; grep -q ^systemd-resolve: {1} || echo systemd-resolve:x:996:{2} >> {1}", base,
          in_folder(base), *base == 'p' ? "996:r:/:/usr/sbin/nologin" : ""));
    start_daemon(fmt::format(
        "for f in passwd group; do mount --bind {0}/$f /etc/$f; done; mount -t tmpfs none /run/systemd; "
        "chmod 755 /run/systemd; exec env {1} > {0}/resolved.log 2>&1",
        ground().state_dir().string(), on_bus(resolved_program())));
    ASSERT_TRUE(wait_until(
        [&] {
          return host()
              .sh(on_bus("busctl call org.freedesktop.resolve1 /org/freedesktop/resolve1 "
                         "org.freedesktop.DBus.Peer Ping"))
              .ok();
        },
        4 * patience))
        << sh("cat " + in_folder("resolved.log")).out;
  }
  bool resolved_knows(const std::string& name) {
    return host().sh("busybox nslookup " + name + " 127.0.0.53").out.contains("192.168.122.");
  }
};

TEST_P(NamesTest, ByTheirLeasesAndNoLonger) {
  up_lab();
  fresh_guest("web1");
  EXPECT_THAT(known_as("web1"), IsEmpty());
  Background client = lease_of("web1");
  EXPECT_TRUE(wait_until([&] { return known_as("web1").contains("192.168.122."); }))
      << sh("cat " + in_folder("leases/lab.leases")).out;
  EXPECT_THAT(known_as("WEB1", "hosts"), HasSubstr("192.168.122."));
  give_back("web1");
  EXPECT_TRUE(wait_until([&] { return known_as("web1").empty(); }))
      << sh("cat " + in_folder("leases/lab.leases")).out;
}

TEST_P(NamesTest, EndWithTheirLeasesEvenWithoutDnsmasq) {
  host().must("mkdir -p " + in_folder("leases"));
  auto now = std::time(nullptr);
  std::ofstream(in_folder("leases/lab.leases"))
      << now + 100 << " 52:54:00:00:00:01 192.168.122.11 six *\n"
      << now - 1 << " 52:54:00:00:00:02 192.168.122.12 over *\n"
      << "0 52:54:00:00:00:03 192.168.122.13 ever *\n"
      << now + 100 << " 52:54:00:00:00:04 192.168.122.14 * *\n"
      << now + 100 << " 52:54:00:00:00:05 192.168.122.15 localhost *\n"
      << now + 100 << " 52:54:00:00:00:06 192.168.122.16 example.org *\n"
      << "damaged\n"
      << now + 100 << " x 192.168.122 wrong *\n"
      << "duid 00:01:00:01\n"
      << now + 100 << " 1234 fd00:122::11 six 00:01\n";
  EXPECT_THAT(known_as("six", "ahosts"),
              testing::AllOf(HasSubstr("192.168.122.11"), HasSubstr("fd00:122::11")));
  EXPECT_THAT(known_as("six", "hosts"), HasSubstr("fd00:122::11"));
  EXPECT_THAT(known_as("ever"), HasSubstr("192.168.122.13"));
  for (const char* name : {"over", "*", "wrong", "damaged", "SIX.lab.test", "example.org", "localhost"})
    EXPECT_THAT(known_as(name, "ahosts"), IsEmpty()) << name;
}

TEST_P(NamesTest, SystemdResolvedIsTold) {
  if (access(resolved_program().c_str(), X_OK)) GTEST_SKIP() << "systemd-resolved is not installed";
  vnet({"up", file("lab.xml", named_xml("yes"))});
  EXPECT_THAT(doctor(), HasSubstr("the host does not know the names of network lab's guests in lab.test"));
  start_resolved();
  if (HasFatalFailure()) return;
  OnBus bus(bus_address());
  run();
  EXPECT_TRUE(wait_until([&] {
    return resolved_knows("seven.test") || resolved_knows("web1.lab.test") ||
           !doctor().contains("does not know the names");
  }));
  fresh_guest("web1");
  EXPECT_FALSE(resolved_knows("web1.lab.test"));
  Background client = lease_of("web1");
  EXPECT_TRUE(wait_until([&] { return resolved_knows("web1.lab.test"); }))
      << host().sh(on_bus("resolvectl status")).out << sh("cat " + in_folder("resolved.log")).out;
  EXPECT_FALSE(resolved_knows("seven.test"));  // only the network's own domain is asked for there
  give_back("web1");
  EXPECT_TRUE(wait_until([&] { return !resolved_knows("web1.lab.test"); }));
  vnet({"apply", "lab", file("no.xml", named_xml("no"))});
  EXPECT_THAT(sh("tail -3 " + in_folder("resolved.log")).out, Not(HasSubstr("rror")));
  vnet({"up", file("lab.xml", named_xml("yes"))});
  vnet({"stop", "lab"});
}

INSTANTIATE_TEST_SUITE_P(All, NamesTest, testing::Values("tcx"), way_of);

}  // namespace
}  // namespace vnet::test

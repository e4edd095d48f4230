// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's clients on `vnet-bpf serve`.
#include <signal.h>

#include <functional>

#include "tests/e2e/libvirt_api_fixture.h"
#include "tests/support/libvirt.h"

namespace vnet::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

const char* const lab_network = R"(<network><name>lab</name><uuid>3e3fce45-4f53-4fa7-bb32-11f34168b82b</uuid>
<forward mode='nat'/><bridge name='virbr7' stp='on' delay='0'/><mac address='52:54:00:12:00:01'/>
<ip address='192.168.77.1' netmask='255.255.255.0'><dhcp><range start='192.168.77.10' end='192.168.77.99'/>
<host mac='52:54:00:00:00:01' name='one' ip='192.168.77.5'/></dhcp></ip></network>)";

TEST_F(LibvirtApiTest, ANetworkGoesThroughItsLife) {
  must({"net-define", file("lab.xml", lab_network)});
  EXPECT_THAT(must({"net-list", "--all"}), HasSubstr("lab   inactive   no   yes"));
  must({"net-start", "lab"});
  EXPECT_TRUE(host().sh("ip link show virbr7").ok());
  must({"net-autostart", "lab"});
  EXPECT_THAT(must({"net-list"}), HasSubstr("lab   active   yes   yes"));
  EXPECT_THAT(must({"net-info", "lab"}), HasSubstr("virbr7"));
  EXPECT_EQ(ground().vnet_json({"list"})[0]["state"], "active");
  must({"net-destroy", "lab"});
  EXPECT_FALSE(host().sh("ip link show virbr7").ok());
  must({"net-undefine", "lab"});
  EXPECT_EQ(must({"net-list", "--all", "--name"}).find("lab"), std::string::npos);
}

TEST_F(LibvirtApiTest, AGuestsLeaseIsListed) {
  ground().vnet({"up", file("lab.xml", lab_network)});
  ground().add_guest("g1");
  ground().vnet({"attach", "g1", "--network", "lab"});
  ground().guest("g1").must("ip link set eth0 address 52:54:00:00:00:01");
  ASSERT_TRUE(ground().udhcpc("g1").ok());
  EXPECT_THAT(must({"net-dhcp-leases", "lab"}), HasSubstr("192.168.77.5/24"));
  EXPECT_THAT(must({"net-dhcp-leases", "lab", "52:54:00:00:00:99"}), Not(HasSubstr("192.168")));
}

TEST_F(LibvirtApiTest, AStaticHostIsAddedWhileTheNetworkRuns) {
  ground().vnet({"up", file("lab.xml", lab_network)});
  must({"net-update", "lab", "add", "ip-dhcp-host", "<host mac='52:54:00:00:00:02' ip='192.168.77.6'/>",
        "--live", "--config"});
  for (const char* which : {"", "--inactive"}) {
    Argv words{"net-dumpxml", "lab"};
    if (*which) words.emplace_back(which);
    EXPECT_THAT(must(words), HasSubstr("192.168.77.6")) << which;
  }
  auto again = virsh({"net-update", "lab", "add", "ip-dhcp-host",
                      "<host mac='52:54:00:00:00:02' ip='192.168.77.6'/>", "--live"});
  EXPECT_FALSE(again.ok());
  EXPECT_THAT(again.err, HasSubstr("Requested operation is not valid: there is an existing dhcp host entry"));
}

TEST_F(LibvirtApiTest, ReadersReadAndChangeNothing) {
  ground().vnet({"up", file("lab.xml", lab_network)});
  auto list = virsh({"net-list"}, "-ro");
  EXPECT_THAT(list.out, HasSubstr("lab"));
  auto refused = virsh({"net-destroy", "lab"}, "-ro");
  EXPECT_FALSE(refused.ok());
  EXPECT_THAT(refused.err, HasSubstr("read only access prevents"));
  EXPECT_TRUE(host().sh("ip link show virbr7").ok());
}

TEST_F(LibvirtApiTest, EventsTellOfWhatTheCommandLineChangesToo) {
  std::string command = fmt::format(
      "exec stdbuf -oL virsh -c 'network+unix:///system?socket={0}' net-event --event lifecycle --loop "
      "--timeout 60 "
      "> {1}/events 2>&1",
      socket(), folder());
  Background watcher = host().background({"sh", "-c", command});
  // It has registered when it sees something. A definition that is stored already is no event.
  int round = 0;
  ASSERT_TRUE(wait_until([&] {
    must({"net-define",
          file("other.xml", fmt::format("<network><name>other</name><title>{}</title></network>", ++round))});
    return read(folder() + "/events").contains("other");
  }));
  ground().vnet({"define", file("lab.xml", lab_network)});
  ground().vnet({"start", "lab"});
  ground().vnet({"stop", "lab"});
  ground().vnet({"undefine", "lab"});
  EXPECT_TRUE(wait_until([&] { return read(folder() + "/events").contains("lab: Undefined"); }));
  auto events = read(folder() + "/events");
  for (const char* one : {"Defined", "Started", "Stopped", "Undefined"})
    EXPECT_THAT(events, HasSubstr(fmt::format("event 'lifecycle' for network lab: {}", one)));
}

TEST_F(LibvirtApiTest, IsKilledAndServesAgain) {
  must({"net-create", file("lab.xml", lab_network)});
  ::kill(server(), SIGKILL);
  stop_server();
  EXPECT_TRUE(host().sh("ip link show virbr7").ok());
  serve();
  EXPECT_THAT(must({"net-info", "lab"}), HasSubstr("no"));
  EXPECT_THAT(must({"net-list"}), HasSubstr("active   no   no"));
  must({"net-destroy", "lab"});
  EXPECT_FALSE(virsh({"net-info", "lab"}).ok()) << "a transient one is gone with its end";
}

TEST_F(LibvirtApiTest, AClientThatSaysNothingIsInNobodysWay) {
  std::vector<Background> silent;
  for (int i = 0; i < 40; ++i)
    silent.push_back(host().background({"socat", "-u", "UNIX-CONNECT:" + socket() + "-ro", "STDOUT"}));
  EXPECT_TRUE(virsh({"net-list"}).ok());
  EXPECT_TRUE(virsh({"net-list"}, "-ro").ok());
}

// One row of the table: what virsh is told, and where ours differs on purpose from libvirt's own driver.
struct VirshRow {
  Argv words;
  enum class Same { All, Status } same = Same::All;  // Status: only whether it succeeds
};

std::vector<VirshRow> virsh_table(
    const std::function<std::string(const std::string&, const std::string&)>& file) {
  auto lab_file = file("lab.xml", lab_network);
  auto update = [](const char* command, const char* section, const char* xml, Argv where) {
    Argv words{"net-update", "lab", command, section, xml};
    words.insert(words.end(), where.begin(), where.end());
    return words;
  };
  const char* host = "<host mac='52:54:00:00:00:02' name='two' ip='192.168.77.6'/>";
  const char* moved = "<host mac='52:54:00:00:00:02' name='two' ip='192.168.77.7'/>";
  const char* txt = "<txt name='a' value='b'/>";
  const Argv both{"--live", "--config"}, config{"--config"}, live{"--live"};
  std::string other_uuid = lab_network;
  other_uuid.replace(other_uuid.find("3e3f"), 4, "4e3f");
  using Same = VirshRow::Same;
  return {
      {{"net-list", "--all"}},
      {{"net-define", lab_file}},
      {{"net-list", "--all"}},
      {{"net-info", "lab"}},
      {{"net-name", "3e3fce45-4f53-4fa7-bb32-11f34168b82b"}},
      {{"net-dumpxml", "lab"}},
      {{"net-start", "lab"}},
      {{"net-start", "lab"}},
      {{"net-list"}},
      {{"net-list", "--inactive", "--name"}},
      {{"net-dumpxml", "lab"}, Same::Status},  // libvirt adds the ports of its masquerade
      {{"net-dumpxml", "--inactive", "lab"}},
      {update("add", "ip-dhcp-host", host, both)},
      {update("add", "ip-dhcp-host", host, both)},
      {update("modify", "ip-dhcp-host", moved, both)},
      {update("delete", "ip-dhcp-host", moved, both)},
      {update("delete", "ip-dhcp-host", moved, live)},
      {update("add", "dns-txt", txt, both)},
      {update("add", "dns-txt", txt, both)},
      {update("add", "dns-host", "<host ip='192.168.77.9'><hostname>nine</hostname></host>", both)},
      {update("add", "dns-srv", "<srv service='s' protocol='tcp'/>", config)},
      {update("add", "ip-dhcp-range", "<range start='192.168.77.110' end='192.168.77.120'/>", config)},
      {update("modify", "bridge", "<bridge name='x'/>", config)},
      {update("modify", "domain", "<domain name='x'/>", config)},
      {update("add", "ip", "<ip address='192.0.2.1'/>", config)},
      {update("add", "ip-dhcp-host", "<range start='192.0.2.1' end='192.0.2.2'/>", config)},
      {update("add", "ip-dhcp-host", "<broken", config), Same::Status},
      {{"net-dumpxml", "--inactive", "lab"}},
      {{"net-dhcp-leases", "lab"}},
      {{"net-port-list", "lab"}},
      {{"net-autostart", "lab"}},
      {{"net-info", "lab"}},
      {{"net-autostart", "--disable", "lab"}},
      {{"net-undefine", "lab"}},
      {{"net-info", "lab"}},
      {{"net-undefine", "lab"}},
      {{"net-autostart", "lab"}},
      {update("add", "ip-dhcp-host", host, config)},
      {{"net-define", lab_file}},
      {{"net-info", "lab"}},
      {{"net-define", file("three.xml", other_uuid)}},
      {{"net-destroy", "lab"}},
      {{"net-destroy", "lab"}},
      {update("add", "ip-dhcp-host", host, live)},
      {{"net-undefine", "lab"}},
      {{"net-info", "lab"}},
      {{"net-create", lab_file}},
      {{"net-create", lab_file}},
      {{"net-info", "lab"}},
      {{"net-list", "--transient"}},
      {{"net-destroy", "lab"}},
      {{"net-list", "--all"}},
      {{"net-start", "nosuch"}},
      {{"net-dumpxml", "nosuch"}},
      {{"net-define", file("bad.xml", "<network/>")}, Same::Status},
      {{"net-define", file("domain.xml", "<domain/>")}, Same::Status},
      {{"net-define", file("bridged.xml",
                           "<network><name>br</name><uuid>21111111-4f53-4fa7-bb32-11f34168b82b"
                           "</uuid><forward mode='bridge'/><bridge name='br0'/></network>")}},
      {{"net-dumpxml", "br"}},
      {{"net-undefine", "br"}},
  };
}

TEST_F(LibvirtApiTest, AnswersAsLibvirtsOwnDriver) {
  if (auto missing = Libvirt::missing(); !missing.empty()) GTEST_SKIP() << missing;
  Namespace elsewhere;
  elsewhere.must("ip link set lo up");
  Libvirt libvirt(elsewhere, folder() + "/libvirt", "VNET_BPF=true");
  auto rows = virsh_table([&](const std::string& name, const std::string& text) { return file(name, text); });
  for (const auto& row : rows) {
    auto ours = virsh(row.words), theirs = libvirt.virsh(row.words);
    std::string what = testing::PrintToString(row.words);
    EXPECT_EQ(ours.status, theirs.status) << what << ours.err << theirs.err;
    if (row.same == VirshRow::Same::Status) continue;
    EXPECT_EQ(ours.out, theirs.out) << what;
    EXPECT_EQ(ours.err, theirs.err) << what;
  }
}

}  // namespace
}  // namespace vnet::test

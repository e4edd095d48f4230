// SPDX-License-Identifier: GPL-2.0-or-later
// What must not stand in the way of an administrator: other users, names, a full disk, a damaged file.
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <map>
#include <sstream>

#include "tests/e2e/network_fixture.h"
#include "tests/support/document.h"

namespace vnet::test {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::vector<std::string> lines(const std::string& text) {
  std::vector<std::string> all;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

class Obstacles : public NetworkTest {
 protected:
  fs::path run_folder() { return ground().state_dir() / "run"; }
  bool reaches_outside(const std::string& name) { return guest(name).pings("203.0.113.1", 2); }
};

TEST_F(Obstacles, AnotherUserHoldsNoLock) {
  start();
  const std::string lock = run_folder() / "lock";
  Output tried =
      sh("setpriv --reuid=65534 --regid=65534 --clear-groups flock -n " + lock + " sleep 0 2>&1; echo $?");
  EXPECT_THAT(tried.out, HasSubstr("ermission denied"));
  vnet({"stop", "lab"});
}

// docs/security.md lists every file and folder with its mode.
TEST_F(Obstacles, FilesHaveTheModesThatAreDocumented) {
  start();
  plug("g1", 11);
  ASSERT_TRUE(reaches_outside("g1"));
  std::map<std::string, std::string> modes;
  for (const auto& row : table_rows("security.md", "| path | mode |")) {
    const std::string path = row.substr(3, row.find('`', 3) - 3);
    modes[path] = row.substr(row.find("| ", 3) + 2, 4);
  }
  auto documented = [&](const fs::path& path) -> std::string {
    if (auto exact = modes.find(path); exact != modes.end()) return exact->second;
    for (const auto* last : {path.extension().c_str(), ""})
      if (auto any = modes.find(path.parent_path() / ("*" + std::string(last))); any != modes.end())
        return any->second;
    return "not documented";
  };
  for (const char* folder : {"networks", "run", "leases"})
    for (const auto& line : lines(sh("cd " + ground().state_dir().string() + " && find " + folder +
                                     " ! -type l -printf '0%m %p\\n'")
                                      .out))
      EXPECT_EQ(documented(line.substr(5)), line.substr(0, 4)) << line;
  EXPECT_EQ(documented("bpf/vnet-bpf") + "\n",
            sh("stat -c 0%a " + (ground().state_dir() / "bpf/vnet-bpf").string()).out);
}

// All of them are names that libvirt takes.
TEST_F(Obstacles, ANetworkMayHaveAnyName) {
  ground().add_guest("g1");
  guest("g1").must(
      "ip addr add 192.168.122.11/24 dev eth0; ip link set eth0 up; ip route replace default via "
      "192.168.122.1");
  for (const char* name :
       {".foo", "a b", "n.unfinished", "x~", "-v", "\xc3\xbc", "it's", "#1", "a,b", "$(x)", "%n"}) {
    SCOPED_TRACE(name);
    std::string xml = dual_stack_xml();
    xml.replace(xml.find("lab"), 3, name);
    vnet({"define", file("named.xml", xml)});
    vnet({"start", "--", name});
    vnet({"attach", "g1", std::string("--network=") + name});
    vnet({"set", "g1", "--isolated"});  // sweeps what killed commands have left
    EXPECT_THAT(vnet({"list"}).out, HasSubstr(name));
    guest("g1").must("ip neigh flush all");  // each network has a gateway of its own
    EXPECT_TRUE(reaches_outside("g1"));
    vnet({"stop", "--", name});
    EXPECT_FALSE(reaches_outside("g1"));
    vnet({"undefine", "--", name});
  }
}

TEST_F(Obstacles, AFullDiskKeepsNobodyFromShutting) {
  fs::create_directories(run_folder());
  ASSERT_EQ(0, ::mount("none", run_folder().c_str(), "tmpfs", 0, "size=2m,mode=0755"));
  start();
  plug_both();
  sh("dd if=/dev/zero of=" + (run_folder() / "filled").string() + " bs=4k 2>/dev/null");
  ASSERT_FALSE(sh("echo text > " + (run_folder() / "more").string()).ok());
  ASSERT_TRUE(guest("g1").pings("192.168.122.12"));
  vnet({"set", "g2", "--inbound", "drop"});
  EXPECT_FALSE(guest("g1").pings("192.168.122.12"));
  vnet({"stop", "lab"});
  EXPECT_FALSE(reaches_outside("g1"));
  ::umount2(run_folder().c_str(), MNT_DETACH);
}

TEST_F(Obstacles, ADamagedRecordIsInNobodysWay) {
  start();
  plug_both();
  vnet({"set", "g2", "--inbound", "drop"});
  std::ofstream(run_folder() / "ports" / "g2.json") << "{";
  vnet({"set", "g1", "--isolated"});
  EXPECT_FALSE(guest("g1").pings("192.168.122.12"));  // its own policy stays
  EXPECT_TRUE(reaches_outside("g1"));
  vnet({"set", "g2", "--inbound", "accept"});  // mends it
  EXPECT_EQ("accept", ground().vnet_json({"ports"})[1]["inbound"]);
  std::ofstream(run_folder() / "ports" / "g2.json") << "{";
  vnet({"stop", "lab"});
  EXPECT_FALSE(fs::exists(run_folder() / "ports" / "g2.json"));
}

}  // namespace
}  // namespace vnet::test

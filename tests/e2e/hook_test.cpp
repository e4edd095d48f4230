// SPDX-License-Identifier: GPL-2.0-or-later
// What libvirt's hook hands on, with a domain XML as libvirt writes it; tests/guest has the real libvirt.
#include <fmt/format.h>

#include "tests/e2e/port_fixture.h"

namespace vnet::test {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;

class Hook : public PortTest {
 protected:
  void SetUp() override {
    if (access(VNET_SOURCE_DIR "/packaging/libvirt/hooks/qemu", X_OK))
      GTEST_SKIP() << "the project's sources are not here";
    PortTest::SetUp();
  }
  Output hook(const std::string& operation, const std::string& xml) {
    return host().sh(fmt::format("VNET_BPF=" VNET_PROGRAM " VNET_BPF_STATE_DIR={} " VNET_SOURCE_DIR
                                 "/packaging/libvirt/hooks/qemu g1 {} begin - < {}",
                                 ground().state_dir().string(), operation, file("domain.xml", xml)));
  }
  static std::string domain(const std::string& more = "", const std::string& tap = "vnet0") {
    return fmt::format(
        "<domain><name>g1</name><devices><interface type='bridge'><mac address='02:00:5e:00:53:01'/>"
        "<target dev='{}'/><model type='virtio'/>{}</interface></devices></domain>",
        tap, more);
  }
  void add_tap(const std::string& bridge = "virbr0") {
    host().must("ip tuntap add vnet0 mode tap; ip link set vnet0 master " + bridge +
                "; ip link set vnet0 up");
  }
  nlohmann::json port() {
    auto ports = ground().vnet_json({"ports"});
    return ports.empty() ? nlohmann::json() : ports.at(0);
  }
};

TEST_F(Hook, AnEarlierGuestsOptionsAreForgotten) {
  start_lab();
  add_tap();
  vnet({"attach", "vnet0", "--network", "lab", "--filter", "clean-traffic", "--model", "e1000"});
  host().must("ip link delete vnet0");
  add_tap();
  Output output = hook("start", domain());
  EXPECT_TRUE(output.ok()) << output.err;
  EXPECT_THAT(output.out, IsEmpty());  // libvirt would take it for XML
  EXPECT_EQ("02:00:5e:00:53:01", port()["mac"].get<std::string>());
  EXPECT_EQ("virtio", port()["model"].get<std::string>());
  EXPECT_TRUE(port()["filters"].empty());
  // What an administrator has changed since stays, where the XML does not say otherwise.
  vnet({"set", "vnet0", "--filter", "no-mac-spoofing"});
  EXPECT_TRUE(hook("reconnect", domain()).ok());
  EXPECT_EQ(1U, port()["filters"].size());
  host().must("ip link delete vnet0");
  EXPECT_TRUE(hook("release", domain("", "")).ok());
  EXPECT_TRUE(port().is_null());
}

TEST_F(Hook, OnlyAFilterThatCannotBeKeptStopsAGuest) {
  start_lab();
  add_tap();
  std::string unknown = domain("<filterref filter='house-rule'/>");
  Output output = hook("start", unknown);
  EXPECT_FALSE(output.ok());
  EXPECT_THAT(output.err, HasSubstr("vnet-bpf: error: guest g1: <filterref filter='house-rule'>"));
  EXPECT_TRUE(hook("reconnect", unknown).ok());  // it runs already
  EXPECT_TRUE(hook("prepare", unknown).ok());
  EXPECT_TRUE(hook("start", "<domain").ok());
  EXPECT_TRUE(port().is_null());
  // Somebody else's bridge.
  host().must("ip link add br7 type bridge; ip link set vnet0 master br7");
  EXPECT_TRUE(hook("start", unknown).ok());
  EXPECT_TRUE(port().is_null());
}

}  // namespace
}  // namespace vnet::test

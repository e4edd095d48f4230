// SPDX-License-Identifier: GPL-2.0-or-later
// A program that is told to rehearse, as `explain` runs them: it notes where the packet would have gone.
#include <memory>

#include "maps/abi.h"

#include "network.skel.h"  // needs it
#include "tests/packet/datapath_fixture.h"

namespace vnet::test {
namespace {

class Rehearsal : public BothFamilies {
 protected:
  void SetUp() override {
    BothFamilies::SetUp();
    if (IsSkipped()) return;
    copy_.reset(network_bpf::open());
    ASSERT_TRUE(copy_);
    copy_->rodata->rehearsal = 1;
    copy_->rodata->secret = maps().settings.get(0)->secret;
    copy_->rodata->network_slot = slot::network;
    copy_->rodata->network_flags = flag::nat;
    copy_->rodata->gateway_ifindex = ifindex("virbr0");
    const auto gateway = Mac::parse(mac::gateway)->bytes;
    for (std::size_t i = 0; i < gateway.size(); ++i) copy_->rodata->gateway_mac[i] = gateway[i];
    const auto shared = maps().fds();
    for (std::size_t i = 0; i < shared.size(); ++i) {
      bpf_map* map = bpf_object__find_map_by_name(copy_->obj, SharedMaps::names()[i]);
      if (map) {
        ASSERT_EQ(bpf_map__reuse_fd(map, shared[i]), 0);
      }
    }
    bpf_program* program = nullptr;
    bpf_object__for_each_program(program, copy_->obj)
        bpf_program__set_autoload(program, program == copy_->progs.port_ingress);
    ASSERT_EQ(network_bpf::load(copy_.get()), 0);
  }
  // Where guest1's frame goes.
  std::pair<std::uint32_t, std::uint32_t> way_of(const Bytes& frame) {
    const Map<__u32, vnet_rehearsed> noted(Fd(::dup(bpf_map__fd(copy_->maps.rehearsed))));
    EXPECT_TRUE(noted.set(0, {}));
    test::run(bpf_program__fd(copy_->progs.port_ingress), frame, {.ifindex = ifindex("g1")});
    const vnet_rehearsed note = noted.get(0).value();
    return {note.ifindex, note.way};
  }

 private:
  struct Destroy {
    void operator()(network_bpf* skeleton) const { network_bpf::destroy(skeleton); }
  };
  std::unique_ptr<network_bpf, Destroy> copy_;
};
VNET_BOTH_FAMILIES(Rehearsal);

TEST_P(Rehearsal, TellsWhereAFrameIsSent) {
  const Packet datagram = ip(at.guest1, at.remote) / l4(L4::Udp, family(), 2000, 443);
  EXPECT_EQ(way_of(Ethernet{.src = mac::guest1, .dst = mac::guest2} / datagram),
            std::pair(ifindex("g2"), std::uint32_t{VNET_WAY_OUT}));
  EXPECT_EQ(way_of(from_guest1 / datagram), std::pair(ifindex("virbr0"), std::uint32_t{VNET_WAY_IN}));
  open(L4::Udp, at.guest1, 2000);
  EXPECT_EQ(way_of(from_guest1 / datagram), std::pair(ifindex("eth0"), std::uint32_t{VNET_WAY_OUT}));
  EXPECT_EQ(way_of(Ethernet{.src = mac::stranger, .dst = mac::guest2} / datagram),
            std::pair(std::uint32_t{0}, std::uint32_t{VNET_WAY_NONE}))
      << "dropped";
}

}  // namespace
}  // namespace vnet::test

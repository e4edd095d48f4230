// SPDX-License-Identifier: GPL-2.0-or-later
// Reading maps as the kernel has them: batches, timers in values, per-CPU sums.
#include <gtest/gtest.h>
#include <unistd.h>

#include <set>

#include "loader/bpf/map_address.h"
#include "loader/bpf/shared_maps.h"
#include "loader/model/drop_reason.h"
#include "loader/observe/sessions.h"
#include "loader/observe/stats.h"
#include "maps/abi.h"
#include "network.skel.h"

namespace vnet {
namespace {

template <typename MapType>
MapType make(bpf_map_type type, std::uint32_t key, std::uint32_t value, std::uint32_t entries) {
  return MapType(Fd(bpf_map_create(type, nullptr, key, value, entries, nullptr)));
}

class Observe : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "must be root to make BPF maps";
  }
};

TEST_F(Observe, EveryEntryIsVisitedOnce) {
  for (bpf_map_type type : {BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_LRU_HASH}) {
    auto map = make<Map<__u32, __u64>>(type, 4, 8, 100000);
    ASSERT_GE(map.fd(), 0);
    for (__u32 i = 0; i < 10000; ++i) ASSERT_TRUE(map.set(i, i + 1));
    std::set<__u32> seen;
    std::size_t visits = 0;
    map.for_each([&](const __u32& key, const __u64& value) {
      if (!value) return;
      EXPECT_EQ(key + 1, value);
      seen.insert(key);
      ++visits;
    });
    EXPECT_EQ(10000U, seen.size()) << type;
    EXPECT_EQ(10000U, visits) << type;
  }
}

TEST_F(Observe, AnEmptyMap) {
  auto map = make<Map<__u32, __u64>>(BPF_MAP_TYPE_HASH, 4, 8, 10);
  map.for_each([](const __u32&, const __u64&) { ADD_FAILURE(); });
}

TEST_F(Observe, SessionsWithTheirTimers) {
  auto* skeleton = network_bpf__open();
  ASSERT_TRUE(skeleton);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, skeleton->obj) bpf_program__set_autoload(program, false);
  ASSERT_EQ(0, network_bpf__load(skeleton));
  SharedMaps maps;
  maps.sessions = Map<vnet_flow, vnet_session>(Fd(dup(bpf_map__fd(skeleton->maps.sessions))));
  vnet_flow flow{.src = from_address(*Address::parse("192.0.2.1")),
                 .dst = from_address(*Address::parse("192.0.2.2")),
                 .dport_be = __builtin_bswap16(80),
                 .proto = 6};
  vnet_session session{.nat = flow.src, .state = VNET_SESSION_ESTABLISHED, .network = 3};
  session.leg[VNET_OUT].packets = 7;
  for (__u16 port = 1; port <= 9000; ++port) {
    flow.sport_be = session.nat_port_be = __builtin_bswap16(port);
    ASSERT_TRUE(maps.sessions.set(flow, session));
  }
  __u32 count = 4096;  // timers or not, the kernel gives batches
  std::vector<vnet_flow> keys(4096);
  std::vector<vnet_session> values(4096);
  __u64 position = 0;
  EXPECT_EQ(0, bpf_map_lookup_batch(maps.sessions.fd(), nullptr, &position, keys.data(), values.data(),
                                    &count, nullptr));
  auto sessions = read_sessions(maps);
  network_bpf__destroy(skeleton);
  ASSERT_EQ(9000U, sessions.size());
  std::set<std::uint16_t> ports;
  for (const auto& info : sessions) ports.insert(info.inside.port);
  EXPECT_EQ(9000U, ports.size());
  EXPECT_EQ("tcp", sessions[0].protocol);
  EXPECT_EQ("established", sessions[0].state);
  EXPECT_EQ("192.0.2.2:80", sessions[0].outside.text(true));
  EXPECT_EQ(7U, sessions[0].out_packets);
  EXPECT_EQ(3, sessions[0].network_slot);
}

TEST_F(Observe, CountersAreSummedOverCpus) {
  SharedMaps maps;
  maps.traffic = make<PerCpuMap<__u32, vnet_traffic>>(BPF_MAP_TYPE_PERCPU_ARRAY, 4, sizeof(vnet_traffic), 8);
  maps.drops = make<PerCpuMap<vnet_drop_key, __u64>>(BPF_MAP_TYPE_PERCPU_HASH, sizeof(vnet_drop_key), 8, 64);
  auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
  __u32 slot = 5;
  std::vector<vnet_traffic> traffic(cpus, {1, 10, 2, 20});
  ASSERT_EQ(0, bpf_map_update_elem(maps.traffic.fd(), &slot, traffic.data(), BPF_ANY));
  vnet_drop_key key{5, VNET_DROP_BPDU};
  std::vector<__u64> drops(cpus, 3);
  ASSERT_EQ(0, bpf_map_update_elem(maps.drops.fd(), &key, drops.data(), BPF_ANY));
  auto counters = read_counters(maps, 5);
  EXPECT_EQ(cpus, counters.rx_packets);
  EXPECT_EQ(20 * cpus, counters.tx_bytes);
  EXPECT_EQ(3 * cpus, counters.drops.at("bpdu"));
  EXPECT_EQ(3 * cpus, read_drops(maps).at(5).at("bpdu"));
  EXPECT_EQ(0U, read_counters(maps, 4).dropped());
}

}  // namespace
}  // namespace vnet

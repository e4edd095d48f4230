// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/packet/datapath_fixture.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <tuple>
#include <utility>

#include "loader/apply/entries.h"
#include "loader/bpf/block_list.h"
#include "loader/bpf/program_run.h"
#include "loader/model/drop_reason.h"
#include "tests/support/shell.h"

namespace vnet::test {
namespace {

namespace fs = std::filesystem;

const char* const host_script = R"(set -e
echo 0 > /proc/sys/net/ipv6/conf/all/accept_dad
echo 0 > /proc/sys/net/ipv6/conf/default/accept_dad
echo 1 > /proc/sys/net/ipv4/ip_forward
echo 1 > /proc/sys/net/ipv6/conf/all/forwarding
ip link set lo up
ip link add virbr0 address $GATEWAY type bridge
ip link add virbr1 address $OTHER_GATEWAY type bridge
ip link add other0 type veth peer name other0p
ip link add eth0 address $UPLINK type veth peer name eth0p
for port in g1 g2; do
  ip link add $port type veth peer name ${port}p
  ip link set $port master virbr0 up
  ip link set ${port}p up
done
ip link add h1 type veth peer name h1p
ip link set h1 master virbr1 up
for up in h1 h1p other0p eth0 eth0p virbr0 virbr1 other0; do ip link set $up up; done
ip address add 192.168.122.1/24 dev virbr0
ip address add fd00:122::1/64 dev virbr0 nodad
ip address add 192.168.123.1/24 dev virbr1
ip address add fd00:123::1/64 dev virbr1 nodad
ip address add 203.0.113.2/24 dev eth0
ip address add 2001:db8:113::2/64 dev eth0 nodad
for hop in 203.0.113.1 2001:db8:113::1; do
  ip neigh add $hop lladdr $NEXT_HOP dev eth0 nud permanent
done
ip route add default via 203.0.113.1
ip route add default via 2001:db8:113::1
ip route add 198.51.100.0/24 via 203.0.113.1 mtu lock 1400
ip route add 2001:db8:51::/48 via 2001:db8:113::1 mtu lock 1400
ip route add 10.99.0.0/16 dev other0
ip route add fd00:99::/64 dev other0
ip route add 198.18.9.0/24 encap ip id 7 dst 203.0.113.1 dev eth0 || true
ip route add 2001:db8:18::/64 encap ip6 id 7 dst 2001:db8:113::1 dev eth0 || true
for guest in 192.168.122.10 fd00:122::10; do ip neigh add $guest lladdr $GUEST1 dev virbr0 nud permanent; done
for guest in 192.168.122.11 fd00:122::11; do ip neigh add $guest lladdr $GUEST2 dev virbr0 nud permanent; done
for guest in 192.168.123.10 fd00:123::10; do ip neigh add $guest lladdr $STRANGER dev virbr1 nud permanent; done
ip neigh add 10.99.0.1 lladdr $STRANGER dev other0 nud permanent
ip neigh add fd00:99::1 lladdr $STRANGER dev other0 nud permanent
)";

template <typename T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

Mac mac_bytes(const std::string& text) {
  Mac mac;
  std::sscanf(text.c_str(), "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx", &mac.bytes[0], &mac.bytes[1],
              &mac.bytes[2], &mac.bytes[3], &mac.bytes[4], &mac.bytes[5]);
  return mac;
}

Address model_address(int family, const std::string& text) {
  Address address{.family = family == 4 ? Family::V4 : Family::V6};
  inet_pton(family == 4 ? AF_INET : AF_INET6, text.c_str(), address.bytes.data());
  return address;
}

// BPF_PROG_TEST_RUN cannot set skb->tc_index. This program does, then goes on in the one under test.
class Trampoline {
 public:
  Trampoline() : map_(bpf_map_create(BPF_MAP_TYPE_PROG_ARRAY, "target", 4, 4, 1, nullptr)) {}

  int to(int program, std::uint16_t tc_index) {
    int zero = 0;
    if (bpf_map_update_elem(map_.get(), &zero, &program, BPF_ANY))
      throw std::system_error(errno, std::generic_category(), "entering the program to tail-call");
    const bpf_insn code[] = {
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .src_reg = 0, .off = 0, .imm = tc_index},
        {.code = BPF_STX | BPF_MEM | BPF_W,
         .dst_reg = 1,
         .src_reg = 2,
         .off = offsetof(__sk_buff, tc_index),
         .imm = 0},
        {.code = BPF_LD | BPF_DW | BPF_IMM,
         .dst_reg = 2,
         .src_reg = BPF_PSEUDO_MAP_FD,
         .off = 0,
         .imm = map_.get()},
        {.code = 0, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3, .src_reg = 0, .off = 0, .imm = 0},
        {.code = BPF_JMP | BPF_CALL, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = BPF_FUNC_tail_call},
        {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 99},
        {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0},
    };
    program_.reset(
        bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "trampoline", "GPL", code, std::size(code), nullptr));
    if (!program_) throw std::system_error(errno, std::generic_category(), "loading the trampoline");
    return program_.get();
  }

 private:
  Fd map_, program_;
};

// Made once per process: namespaces, interfaces, the loaded programs. On one CPU: a packet's hooks hand notes
// to each other there, and each CPU probes ports of its own.
class Host {
 public:
  static Host& get() {
    static Host host;
    return host;
  }

  Datapath& datapath() { return *datapath_; }
  Trampoline& trampoline() { return trampoline_; }
  int program(Program which, std::uint32_t flags) {
    if (which == Program::UplinkIngress || which == Program::UplinkEgress)
      return uplink_[which == Program::UplinkEgress].get();
    if (is_xdp(which)) return bpf_program__fd(xdp(which));
    if (which >= Program::DirectIngress) return direct(which);
    auto& set = network_[flags];
    if (set.empty()) load(flags, set);
    return set.at(which).get();
  }

 private:
  Host() {
    if (unshare(CLONE_NEWNET | CLONE_NEWNS))
      throw std::system_error(errno, std::generic_category(), "unshare");
    mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
    std::string folder = (fs::temp_directory_path() / "vnet-packet-XXXXXX").string();
    if (!mkdtemp(folder.data())) throw std::system_error(errno, std::generic_category(), "mkdtemp");
    folder_ = folder;
    if (mount("bpf", folder_.c_str(), "bpf", 0, nullptr))
      throw std::system_error(errno, std::generic_category(), "mounting a bpffs");
    for (auto [name, value] : {std::pair{"GATEWAY", mac::gateway},
                               {"OTHER_GATEWAY", mac::other_gateway},
                               {"UPLINK", mac::uplink},
                               {"NEXT_HOP", mac::next_hop},
                               {"GUEST1", mac::guest1},
                               {"GUEST2", mac::guest2},
                               {"STRANGER", mac::stranger}})
      setenv(name, value.c_str(), 1);
    if (Output made = sh(host_script); !made.ok())
      throw std::runtime_error("setting up the host: " + made.err);

    datapath_ = must(Datapath::open_or_create(folder_));
    must(datapath_->load_uplink("eth0", {.slot = slot::uplink,
                                         .ifindex = static_cast<int>(if_nametoindex("eth0")),
                                         .limits_new_flows = true}));
    uplink_[0] = open("uplinks/eth0/uplink_ingress");
    uplink_[1] = open("uplinks/eth0/uplink_egress");
  }

  ~Host() {
    datapath_.reset();
    umount2(folder_.c_str(), MNT_DETACH);
    std::error_code ignored;
    fs::remove(folder_, ignored);
  }

  int direct(Program which) {
    if (direct_.empty()) {
      must(datapath_->load_parent("eth0", {.slot = slot::parent,
                                           .ifindex = static_cast<int>(if_nametoindex("eth0")),
                                           .mac = mac_bytes(mac::uplink)}));
      direct_[Program::DirectIngress] = open("parents/eth0/port_ingress");
      direct_[Program::ParentIngress] = open("parents/eth0/parent_ingress");
      direct_[Program::ParentEgress] = open("parents/eth0/parent_egress");
    }
    return direct_.at(which).get();
  }

  bpf_program* xdp(Program which) {
    XdpObject& object = xdp_[which];
    if (!object) {
      object =
          must(datapath_->open_uplink_xdp({.slot = slot::uplink,
                                           .ifindex = static_cast<int>(if_nametoindex("eth0")),
                                           .limits_new_flows = true,
                                           .forward = which != Program::UplinkXdp,
                                           .distrusts_checksums = which == Program::UplinkForwardDistrusting,
                                           .mac = mac_bytes(mac::uplink)}));
      if (int error = bpf_object__load(object.get()))
        throw std::system_error(-error, std::generic_category(), "loading the XDP program");
    }
    return bpf_object__find_program_by_name(object.get(), "uplink_xdp");
  }

  // The network's programs as loaded for one mode.
  void load(std::uint32_t flags, std::map<Program, Fd>& set) {
    std::string name = fmt::format("flags{}", flags);
    must(datapath_->load_network(name, {.slot = slot::network,
                                        .gateway_ifindex = static_cast<int>(if_nametoindex("virbr0")),
                                        .gateway_mac = mac_bytes(mac::gateway),
                                        .flags = flags,
                                        .gateway4 = model_address(4, ends(4).gateway),
                                        .gateway6 = model_address(6, ends(6).gateway)}));
    for (auto [program, pin] : {std::pair{Program::PortIngress, "port_ingress"},
                                {Program::PortEgress, "port_egress"},
                                {Program::GatewayIngress, "gateway_ingress"},
                                {Program::GatewayEgress, "gateway_egress"},
                                {Program::MemberIngress, "member_ingress"},
                                {Program::MemberEgress, "member_egress"}})
      if (fs::exists(folder_ / "networks" / name / pin))  // those that a network of that mode has
        set[program] = open("networks/" + name + "/" + pin);
  }

  Fd open(const std::string& pin) {
    Fd fd(bpf_obj_get((folder_ / pin).c_str()));
    if (!fd) throw std::system_error(errno, std::generic_category(), "opening " + pin);
    return fd;
  }

  OneCpu one_cpu_;
  fs::path folder_;
  std::optional<Datapath> datapath_;
  std::map<std::uint32_t, std::map<Program, Fd>> network_;
  std::array<Fd, 2> uplink_;
  std::map<Program, XdpObject> xdp_;
  std::map<Program, Fd> direct_;
  Trampoline trampoline_;
};

RunResult as_tc(RunResult ran) {
  const std::map<int, int> verdicts{{XDP_PASS, Ok}, {XDP_DROP, Shot}, {XDP_REDIRECT, Redirect}};
  auto known = verdicts.find(ran.verdict);
  ran.verdict = known == verdicts.end() ? 1000 + ran.verdict : known->second;
  return ran;
}

template <typename M>
void empty(M& map) {
  for (const auto& key : map.keys()) must(map.erase(key));
}

vnet_subnet_key subnet(const std::string& text, unsigned length) {
  return {.prefixlen = length, .addr = address(text)};
}

}  // namespace

const Ends& ends(int family) {
  static const Ends v4{.family = 4,
                       .guest1 = "192.168.122.10",
                       .guest2 = "192.168.122.11",
                       .unresolved = "192.168.122.12",
                       .gateway = "192.168.122.1",
                       .host = "203.0.113.2",
                       .next_hop = "203.0.113.1",
                       .remote = "198.51.100.7",
                       .remote2 = "192.0.2.8",
                       .other_guest = "192.168.123.10",
                       .nowhere = "10.99.0.1",
                       .multicast = "239.1.2.3"};
  static const Ends v6{.family = 6,
                       .guest1 = "fd00:122::10",
                       .guest2 = "fd00:122::11",
                       .unresolved = "fd00:122::12",
                       .gateway = "fd00:122::1",
                       .host = "2001:db8:113::2",
                       .next_hop = "2001:db8:113::1",
                       .remote = "2001:db8:51::7",
                       .remote2 = "2001:db8:999::8",
                       .other_guest = "fd00:123::10",
                       .nowhere = "fd00:99::1",
                       .multicast = "ff0e::1234"};
  return family == 4 ? v4 : v6;
}

Packet ip(const std::string& source, const std::string& destination, int ttl) {
  auto hops = static_cast<std::uint8_t>(ttl);
  if (source.find(':') != std::string::npos)
    return Ipv6{.src = source, .dst = destination, .hop_limit = hops};
  return Ipv4{.src = source, .dst = destination, .ttl = hops, .id = 0x1234, .dont_fragment = true};
}

Packet l4(L4 kind, int family, std::uint16_t sport, std::uint16_t dport, const std::string& flags) {
  if (kind == L4::Udp) return Udp{.src_port = sport, .dst_port = dport} / Payload(21);
  // Both ends begin with the same number, so that whoever acknowledges does so with the right one.
  constexpr std::uint32_t first = 0x01020304;
  std::uint32_t ack = flags.contains('A') ? first + 1 : 0;
  if (kind == L4::Tcp)
    return Tcp{.src_port = sport, .dst_port = dport, .flags = flags, .seq = first, .ack = ack};
  if (family == 4) return Icmp{.type = 8, .id = sport, .seq = 7} / Payload(15);
  return Icmpv6{.type = 128, .id = sport, .seq = 7} / Payload(15);
}

Packet l4_answer(L4 kind, int family, std::uint16_t dport, std::uint16_t sport, const std::string& flags) {
  if (kind != L4::Echo) return l4(kind, family, sport, dport, flags);
  if (family == 4) return Icmp{.type = 0, .id = dport, .seq = 7} / Payload(15);
  return Icmpv6{.type = 129, .id = dport, .seq = 7} / Payload(15);
}

int protocol(L4 kind, int family) {
  return kind == L4::Udp ? 17 : kind == L4::Tcp ? 6 : family == 4 ? 1 : 58;
}

Packet icmp_error(Problem problem, int family, const Packet& about, std::size_t limit) {
  bool v4 = family == 4;
  switch (problem) {
    case Problem::Unreachable:
      if (v4) return Icmp{.type = 3, .code = 3} / quoted(about, limit);
      return Icmpv6{.type = 1, .code = 4} / quoted(about, limit);
    case Problem::TooBig:
      if (v4) return Icmp{.type = 3, .code = 4, .mtu = 1300} / quoted(about, limit);
      return Icmpv6{.type = 2, .mtu = 1300} / quoted(about, limit);
    default:
      if (v4) return Icmp{.type = 11} / quoted(about, limit);
      return Icmpv6{.type = 3} / quoted(about, limit);
  }
}

vnet_addr address(const std::string& text) {
  vnet_addr out{};
  if (inet_pton(AF_INET, text.c_str(), &out.word_be[3]) == 1)
    out.word_be[2] = htonl(0xffff);
  else if (inet_pton(AF_INET6, text.c_str(), &out) != 1)
    throw std::invalid_argument("not an address: " + text);
  return out;
}

vnet_flow flow(const std::string& source, const std::string& destination, int protocol, std::uint16_t sport,
               std::uint16_t dport) {
  return {.src = address(source),
          .dst = address(destination),
          .sport_be = htons(sport),
          .dport_be = htons(dport),
          .proto = static_cast<__u8>(protocol),
          .pad = {}};
}

SharedMaps& DatapathTest::maps() {
  return Host::get().datapath().maps();
}

std::uint32_t DatapathTest::ifindex(const std::string& interface) {
  Host::get();
  std::uint32_t index = if_nametoindex(interface.c_str());
  if (!index) throw std::runtime_error("no interface " + interface);
  return index;
}

void DatapathTest::SetUp() {
  SharedMaps& all = maps();
  counted_.clear();
  empty(all.sessions), empty(all.rev_nat), empty(all.frag_track), empty(all.ports), empty(all.fdb);
  empty(all.shortcuts), empty(all.bridge_last_seen), empty(all.flood_ports);
  empty(all.devices), empty(all.subnets), empty(all.port_forwards), empty(all.drops);
  empty(all.forward_sources), empty(all.host_addresses), empty(all.host_peers);
  empty(all.addresses), empty(all.claims), empty(all.dhcp_clients), empty(all.isolated),
      empty(all.outgoing_flows);
  empty(all.allow_rules), empty(all.allow_prefixes), empty(all.blocked), empty(all.new_flow_rates);
  empty(all.xdp_targets), empty(all.trusted_devices), empty(all.half_open), empty(all.mappings),
      empty(all.frag_queue), empty(all.limits), empty(all.port_vlans);
  empty(all.seq_shifts), empty(all.mac_nat), empty(all.mac_nat_rings);
  must(all.any_mappings.set(0, 0));
  must(all.to_stack.clear(0));
  must(BlockList::switch_on(all, false));
  for (__u32 i = 0; i < 16; ++i) {
    must(all.quota_usage.set(i, {}));
    must(all.traffic.clear(i));
    must(all.networks.set(i, {}));
  }
  for (__u32 i = 0; i <= VNET_PROBE_MAX; ++i) must(all.port_alloc_tries.clear(i));

  vnet_network network{.gateway_ifindex = ifindex("virbr0"),
                       .flags = flag::nat,
                       .max_sessions = 1000,
                       .max_sessions_per_port = 500,
                       .ports = {{1024, 32767}, {61000, 65535}},
                       .keep = {1024, 65535}};
  must(all.networks.set(slot::network, network));
  network.gateway_ifindex = ifindex("virbr1");
  must(all.networks.set(slot::other, network));
  must(write_device(all, static_cast<int>(ifindex("eth0")),
                    {.role = VNET_DEVICE_UPLINK,
                     .slot = slot::uplink,
                     .addr4 = address(ends(4).host),
                     .addr6 = address(ends(6).host)}));
  must(write_device(all, static_cast<int>(ifindex("virbr0")),
                    {.role = VNET_DEVICE_GATEWAY, .slot = slot::network}));
  must(write_device(all, static_cast<int>(ifindex("virbr1")),
                    {.role = VNET_DEVICE_GATEWAY, .slot = slot::other}));
  must(all.subnets.set(subnet("192.168.122.0", 120), {.network = slot::network}));
  must(all.subnets.set(subnet("fd00:122::", 64), {.network = slot::network}));
  must(all.subnets.set(subnet("192.168.123.0", 120), {.network = slot::other}));
  must(all.subnets.set(subnet("fd00:123::", 64), {.network = slot::other}));
  for (auto [name, at, address] :
       {std::tuple{"g1", slot::g1, mac::guest1}, std::tuple{"g2", slot::g2, mac::guest2}}) {
    vnet_port port{.slot = at, .network = slot::network, .flags = VNET_PORT_F_MAC};
    vnet_fdb_key key{.network = slot::network};
    std::memcpy(port.mac, mac_bytes(address).bytes.data(), 6);
    std::memcpy(key.mac, port.mac, 6);
    must(all.ports.set(ifindex(name), port));
    must(all.fdb.set(key, {.ifindex = ifindex(name), .slot = at, .is_static = 1}));
  }
}

namespace {

// Up to the host's stack, by the gateway, or flooded (nobody is a member of virbr0 here): for the tests both
// is what they mean by Ok. What a program has sent on by itself has other MACs, or is for a guest.
bool is_handed_on(Program which, const Ran& ran, const Bytes& frame, std::uint64_t drops) {
  if (which != Program::PortIngress && which != Program::GatewayEgress) return false;
  if (ran.verdict == Shot) return !drops;
  auto gateway = mac_bytes(mac::gateway).bytes;
  bool up = frame[0] & 1 || std::equal(gateway.begin(), gateway.end(), frame.begin());
  return ran.verdict == Redirect && which == Program::PortIngress && up && ran.packet == frame;
}

}  // namespace

// As the program before it leaves the packet: a port's has handed it to the gateway, or flooded it to a port.
std::array<std::uint32_t, 5> DatapathTest::mark_before(Program which) {
  constexpr std::uint32_t to_be_judged = 2;  // MARK_CHECK of bpf/lib/mark.h
  if (which != Program::GatewayIngress && which != Program::PortEgress) return {};
  if (which == Program::PortEgress && flags_ & VNET_NETWORK_F_BRIDGED) return {};
  std::uint64_t secret = maps().settings.get(0).value().secret;
  return {static_cast<std::uint32_t>(secret), static_cast<std::uint32_t>(secret >> 32),
          which == Program::PortEgress ? to_be_judged : 0};
}

Ran DatapathTest::run(Program which, const Bytes& frame, RunContext context, std::uint16_t tc_index) {
  bool port =
      which == Program::PortIngress || which == Program::PortEgress || which == Program::DirectIngress;
  bool uplink = which >= Program::ParentIngress || which == Program::UplinkIngress ||
                which == Program::UplinkEgress || which == Program::MemberIngress ||
                which == Program::MemberEgress;
  if (!context.ifindex) context.ifindex = ifindex(port ? "g1" : uplink ? "eth0" : "virbr0");
  if (!context.cb[0]) context.cb = mark_before(which);
  int fd = Host::get().program(which, flags_);
  if (tc_index) fd = Host::get().trampoline().to(fd, tc_index);
  RunResult result = is_xdp(which) ? as_tc(run_xdp(fd, frame)) : test::run(fd, frame, context);
  Drops before = std::exchange(counted_, drops());
  Ran ran{.verdict = result.verdict, .packet = std::move(result.packet), .drops = counted_};
  std::uint64_t total = 0;
  for (auto& [key, count] : ran.drops) total += count -= before[key];
  std::erase_if(ran.drops, [](const auto& entry) { return entry.second == 0; });
  EXPECT_TRUE(ran.verdict == Ok || ran.verdict == Shot || ran.verdict == Redirect)
      << "verdict " << ran.verdict;
  if (!(flags_ & VNET_NETWORK_F_BRIDGED) && is_handed_on(which, ran, frame, total)) ran.verdict = Ok;
  // A refusal that is answered is counted, too, and leaves as a redirect; so does what goes to a port
  // forward.
  bool answered = which == Program::GatewayIngress && ran.verdict == Redirect && total;
  EXPECT_EQ(ran.verdict == Shot || answered ? 1U : 0U, total)
      << "verdict " << ran.verdict << " of program " << static_cast<int>(which) << " for\n"
      << describe(frame);
  return ran;
}

double DatapathTest::nanoseconds_a_run(Program program, const Bytes& frame, unsigned runs) {
  __sk_buff context{};
  bool port = program == Program::PortIngress || program == Program::PortEgress;
  bool uplink = program == Program::UplinkIngress || program == Program::UplinkEgress;
  context.ifindex = ifindex(port ? "g1" : uplink ? "eth0" : "virbr0");
  std::ranges::copy(mark_before(program), context.cb);
  bpf_test_run_opts options{};
  options.sz = sizeof(options);
  options.data_in = frame.data();
  options.data_size_in = static_cast<std::uint32_t>(frame.size());
  if (!is_xdp(program)) {
    options.ctx_in = &context;
    options.ctx_size_in = sizeof(context);
  }
  options.repeat = static_cast<int>(runs);
  if (bpf_prog_test_run_opts(Host::get().program(program, flags_), &options))
    throw std::system_error(errno, std::generic_category(), "BPF_PROG_TEST_RUN");
  return options.duration;
}

void DatapathTest::set_handed_up(const vnet_flow& flow) {
  std::vector<vnet_flow> of_all(static_cast<std::size_t>(libbpf_num_possible_cpus()), flow);
  __u32 zero = 0;
  ASSERT_EQ(0, bpf_map_update_elem(maps().to_stack.fd(), &zero, of_all.data(), BPF_ANY));
}

void DatapathTest::expect(Program program, const Bytes& frame, int verdict, const Bytes& out,
                          RunContext context) {
  Ran ran = run(program, frame, context);
  EXPECT_EQ(verdict, ran.verdict) << testing::PrintToString(ran.drops);
  EXPECT_PACKET_EQ(out, ran.packet);
  EXPECT_SOUND(ran.packet);
}

void DatapathTest::expect_drop(Program program, const Bytes& frame, int at_slot, const std::string& reason,
                               RunContext context) {
  Ran ran = run(program, frame, context);
  EXPECT_EQ(Shot, ran.verdict);
  EXPECT_EQ((Drops{{{at_slot, reason}, 1}}), ran.drops);
}

Drops DatapathTest::drops() {
  Drops all;
  for (const vnet_drop_key& key : maps().drops.keys())
    for (__u64 count : maps().drops.get(key)) all[{key.slot, reason_word(key.reason)}] += count;
  return all;
}

vnet_traffic DatapathTest::traffic(int at_slot) {
  vnet_traffic sum{};
  for (const vnet_traffic& cpu : maps().traffic.get(static_cast<__u32>(at_slot))) {
    sum.rx_packets += cpu.rx_packets, sum.rx_bytes += cpu.rx_bytes;
    sum.tx_packets += cpu.tx_packets, sum.tx_bytes += cpu.tx_bytes;
    sum.forwarded += cpu.forwarded;
  }
  return sum;
}

std::uint64_t DatapathTest::probes(unsigned tries) {
  std::uint64_t sum = 0;
  for (__u64 count : maps().port_alloc_tries.get(tries)) sum += count;
  return sum;
}

std::uint16_t BothFamilies::open(L4 kind, const std::string& guest, std::uint16_t sport,
                                 std::uint16_t tc_index) {
  Ran ran = run(Program::UplinkEgress, outgoing(kind, guest, sport), {}, tc_index);
  EXPECT_EQ(Ok, ran.verdict) << testing::PrintToString(ran.drops);
  auto made = session(key(kind, guest, sport));
  if (!made) throw std::runtime_error("no session was made");
  made->flags |= VNET_SESSION_F_PLAIN;  // as if gateway ingress had seen it before
  must(maps().sessions.set(key(kind, guest, sport), *made));
  return ntohs(made->nat_port_be);
}

void DatapathTest::set_network(const std::function<void(vnet_network&)>& change) {
  vnet_network network = maps().networks.get(slot::network).value();
  change(network);
  must(maps().networks.set(slot::network, network));
}

void DatapathTest::set_flags(std::uint32_t flags) {
  flags_ = flags;
  set_network([&](vnet_network& n) { n.flags = flags; });
}

void DatapathTest::set_other_flags(std::uint32_t flags) {
  vnet_network network = maps().networks.get(slot::other).value();
  network.flags = flags;
  must(maps().networks.set(slot::other, network));
}

void DatapathTest::set_port(const std::string& interface, const std::function<void(vnet_port&)>& change) {
  vnet_port port = maps().ports.get(ifindex(interface)).value();
  change(port);
  must(maps().ports.set(ifindex(interface), port));
}

}  // namespace vnet::test

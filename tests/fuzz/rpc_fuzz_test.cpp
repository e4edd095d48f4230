// SPDX-License-Identifier: GPL-2.0-or-later
// Damaged conversations of a libvirt client's: every one is answered or ended, and a reader changes nothing.
#include <gtest/gtest.h>

#include <algorithm>

#include "loader/rpc/session.h"
#include "tests/fuzz/mutate.h"
#include "tests/support/fake_networks.h"

namespace vnet::test {
namespace {

using rpc::XdrWriter;

std::string opening(std::uint32_t flags) {
  return rpc_call(66) + rpc_call(60, [](XdrWriter& out) { out.u32(10); }) + rpc_call(1, [&](XdrWriter& out) {
           out.u32(1);
           out.string("network:///system");
           out.u32(flags);
         });
}

// What virsh and the hypervisor's driver send, every procedure once, each behind an opening.
std::vector<std::string> conversations() {
  rpc::Net net{"default", {1, 2, 3}};
  auto with_net = [&](std::int32_t number, std::initializer_list<std::uint32_t> more = {}) {
    return rpc_call(number, [&](XdrWriter& out) {
      encode(out, net);
      for (auto value : more) out.u32(value);
    });
  };
  auto with_xml = [&](std::int32_t number, const char* xml, bool flags) {
    return rpc_call(number, [&](XdrWriter& out) {
      out.string(xml);
      if (flags) out.u32(1);
    });
  };
  auto port = [&](XdrWriter& out) { encode(out, rpc::Port{net, {9}}); };
  std::string lists = rpc_call(283, [](XdrWriter& out) { out.u32(1), out.u32(3); }) +
                      rpc_call(46, [](XdrWriter& out) { out.string("default"); }) +
                      rpc_call(47,
                               [](XdrWriter& out) {
                                 out.uuid({1, 2, 3});
                               }) +
                      rpc_call(52) + rpc_call(50) + rpc_call(38, [](XdrWriter& out) { out.u32(16); }) +
                      with_net(152) + with_net(153) + with_net(44) + with_net(45) + with_net(43, {1});
  std::string leases = rpc_call(341, [&](XdrWriter& out) {
    encode(out, net);
    out.u32(1);
    out.string("52:54:00:00:00:01");
    out.u32(1), out.u32(0);
  });
  std::string changes = with_xml(41, "<network/>", false) + with_xml(432, "<network/>", true) + with_net(39) +
                        with_net(48, {1}) + with_net(42) + with_net(49) + rpc_call(291, [&](XdrWriter& out) {
                          encode(out, net);
                          out.u32(3), out.u32(4), out.u32(0xffffffff);
                          out.string("<host/>");
                          out.u32(3);
                        });
  std::string ports =
      rpc_call(406, [&](XdrWriter& out) { encode(out, net), out.string("<networkport/>"), out.u32(0); }) +
      rpc_call(409, [&](XdrWriter& out) { port(out), out.u32(0); }) +
      rpc_call(408,
               [&](XdrWriter& out) {
                 port(out);
                 encode(out, rpc::Parameters{
                                 {"inbound.average", 1000U}, {"name", std::string("text")}, {"d", 0.5}});
                 out.u32(0);
               }) +
      rpc_call(410, [&](XdrWriter& out) { port(out), out.u32(0); });
  std::string identity = rpc_call(419, [](XdrWriter& out) {
    encode(out, rpc::Parameters{{"user-name", std::string("root")}, {"unix-user-id", std::uint64_t{0}}});
    out.u32(0);
  });
  std::string events =
      rpc_call(313, [](XdrWriter& out) { out.u32(0), out.u32(0); }) +
      rpc_call(314, [](XdrWriter& out) { out.u32(0); }) +
      rpc::make_message({.program = rpc::keepalive_program, .procedure = 1, .type = rpc::MessageType::Event},
                        "");
  return {opening(0) + lists,   opening(0) + leases,   opening(0) + changes,
          opening(0) + ports,   opening(0) + identity, opening(0) + events + rpc_call(2),
          opening(1) + changes, opening(1) + lists};
}

struct Held {
  std::size_t answered = 0, messages = 0;
};

// As the server does it; true: the client is still there.
bool hold(rpc::Session& session, FakeNetworks& networks, std::string_view bytes, Held& held) {
  while (true) {
    rpc::Message message;
    auto framing = rpc::take_message(bytes, session.longest_message(), message);
    if (framing != rpc::Framing::Whole) return framing == rpc::Framing::Partial;
    ++held.messages;
    auto outcome = session.take(message, networks);
    if (outcome.pending)
      outcome.send += rpc::Session::finish(outcome.pending->header, outcome.pending->call(session, networks));
    held.answered += !outcome.send.empty();
    if (outcome.close) return false;
    bytes.remove_prefix(message.bytes);
  }
}

TEST(Fuzz, Conversations) {
  auto seeds = conversations();
  for (const auto& seed : seeds) {
    FakeNetworks networks;
    rpc::Session session({.uid = 0, .read_only = false});
    Held held;
    hold(session, networks, seed, held);
    EXPECT_EQ(held.answered, held.messages) << "the seeds are taken";
  }
  using namespace std::string_literals;
  Mutator mutator(seeds, {"\0\0\0\0"s, "\0\0\0\1"s, "\xff\xff\xff\xff"s, "\x7f\xff\xff\xff"s, "\0\0\0\x1c"s,
                          "\x20\0\x80\x86"s, "\0\0\1\x1b"s, "\0\0\0\7"s});
  std::size_t messages = 0, answered = 0;
  unsigned rounds_held = 0;
  on_damaged(mutator, [&](const std::string& bytes) {
    FakeNetworks networks;
    rpc::Session session({.uid = 1000, .read_only = (rounds_held++ & 1) != 0});
    Held held;
    hold(session, networks, bytes, held);
    messages += held.messages;
    answered += held.answered;
    EXPECT_LE(held.answered, held.messages);
    bool changed = std::ranges::any_of(networks.called, [](const std::string& what) {
      return what.starts_with("define") || what.starts_with("start") || what.starts_with("create") ||
             what == "destroy" || what == "undefine" || what == "update" || what == "delete_port";
    });
    EXPECT_FALSE(changed && session.peer().read_only);
  });
  EXPECT_GT(answered, messages / 3) << "damage is mostly where it is looked at";
}

}  // namespace
}  // namespace vnet::test

// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loader/rpc/session.h"
#include "tests/support/fake_networks.h"

namespace vnet::test {
namespace {

using rpc::XdrReader;
using rpc::XdrWriter;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string bytes_of(const std::function<void(XdrWriter&)>& write) {
  XdrWriter out;
  write(out);
  return out.take();
}

TEST(Xdr, WritesWhatItReads) {
  auto bytes = bytes_of([](XdrWriter& out) {
    out.u32(0x01020304);
    out.string("abcde");
    out.u64(0x0102030405060708);
    out.uuid({1, 2, 3});
  });
  EXPECT_EQ(bytes.size(), 4U + 4 + 8 + 8 + 16);
  EXPECT_EQ(bytes.substr(0, 4), "\x01\x02\x03\x04");
  XdrReader in(bytes);
  EXPECT_EQ(in.u32(), 0x01020304U);
  EXPECT_EQ(in.string(), "abcde");
  EXPECT_EQ(in.u64(), 0x0102030405060708U);
  EXPECT_EQ(in.uuid()[2], 3);
  EXPECT_TRUE(in.done());
}

std::string read_string(const std::string& bytes) {
  XdrReader in(bytes);
  auto text = in.string();
  return in.done() ? text : "refused";
}

TEST(Xdr, RefusesStringsThatAreNotText) {
  using namespace std::string_literals;
  EXPECT_EQ(read_string("\0\0\0\3abc\0"s), "abc");
  EXPECT_EQ(read_string("\0\0\0\3a\0c\0"s), "refused") << "NUL";
  EXPECT_EQ(read_string("\0\0\0\3abc\1"s), "refused") << "padding";
  EXPECT_EQ(read_string("\0\0\0\3abc"s), "refused") << "short";
  EXPECT_EQ(read_string("\0\0\0\3abc\0\0"s), "refused") << "left over";
  EXPECT_EQ(read_string("\xff\xff\xff\xff"s), "refused") << "longer than all that is there";
  EXPECT_EQ(read_string("\0\0\0\2\xc3\xa4\0\0"s), "\xc3\xa4");
  for (const char* not_utf8 :
       {"\xc3", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xff"})
    EXPECT_FALSE(rpc::is_text(not_utf8)) << not_utf8;
  EXPECT_TRUE(rpc::is_text("\xf0\x9f\x98\x80"));
}

TEST(Xdr, CountsAreComparedWithWhatIsLeft) {
  auto bytes = bytes_of([](XdrWriter& out) { out.u32(1000), out.u64(0); });
  EXPECT_EQ(XdrReader(bytes).count(5000, 12), 0U);
  EXPECT_EQ(XdrReader(bytes_of([](XdrWriter& out) { out.u32(2), out.u64(0); })).count(5000, 4), 2U);
  EXPECT_EQ(XdrReader(bytes_of([](XdrWriter& out) { out.u32(2), out.u64(0); })).count(1, 4), 0U);
}

TEST(RpcMessage, IsWholePartialOrBroken) {
  rpc::Message message;
  auto bytes = rpc_call(46, [](XdrWriter& out) { out.string("default"); });
  EXPECT_EQ(rpc::take_message(bytes + "more", 1000, message), rpc::Framing::Whole);
  EXPECT_EQ(message.bytes, bytes.size());
  EXPECT_EQ(message.header.procedure, 46);
  EXPECT_EQ(rpc::take_message(bytes.substr(0, bytes.size() - 1), 1000, message), rpc::Framing::Partial);
  EXPECT_EQ(rpc::take_message(bytes.substr(0, 3), 1000, message), rpc::Framing::Partial);
  EXPECT_EQ(rpc::take_message(bytes, bytes.size() - 1, message), rpc::Framing::Broken) << "too long";
  EXPECT_EQ(rpc::take_message(std::string(40, '\0'), 1000, message), rpc::Framing::Broken) << "too short";
}

class RpcSession : public testing::Test {
 protected:
  rpc::Session::Outcome take(const std::string& bytes) {
    rpc::Message message;
    EXPECT_EQ(rpc::take_message(bytes, session_.longest_message(), message), rpc::Framing::Whole);
    auto outcome = session_.take(message, networks_);
    // What the other thread does.
    if (outcome.pending)
      outcome.send =
          rpc::Session::finish(outcome.pending->header, outcome.pending->call(session_, networks_));
    return outcome;
  }
  void open(std::uint32_t flags = 0) {
    take(rpc_call(66));
    take(rpc_call(1, [&](XdrWriter& out) {
      out.u32(1);
      out.string("network:///system");
      out.u32(flags);
    }));
  }
  // What a reply says: its status, and an error's code, domain and message.
  struct Said {
    bool ok = false;
    std::uint32_t serial = 0;
    std::int32_t code = 0, domain = 0;
    std::string message, result;
  };
  static Said said(const std::string& bytes) {
    rpc::Message message;
    Said said;
    if (rpc::take_message(bytes, bytes.size(), message) != rpc::Framing::Whole) return said;
    said.ok = message.header.status == rpc::Status::Ok;
    said.serial = message.header.serial;
    said.result = message.payload;
    if (said.ok) return said;
    XdrReader in(message.payload);
    said.code = rpc::decode<std::int32_t>(in);
    said.domain = rpc::decode<std::int32_t>(in);
    said.message = rpc::decode<std::optional<std::string>>(in).value_or("");
    return said;
  }
  static std::string net() {
    return bytes_of([](XdrWriter& out) { encode(out, rpc::Net{"default", {1, 2, 3}}); });
  }
  static std::string call_with(std::int32_t procedure, const std::string& arguments) {
    return rpc::make_message({.procedure = procedure, .serial = 7}, arguments);
  }

  FakeNetworks networks_;
  rpc::Session session_{{.uid = 0, .read_only = false}};
};

TEST_F(RpcSession, NothingIsAnsweredBeforeAuthenticationAndOpening) {
  auto before = said(take(rpc_call(283, [](XdrWriter& out) { out.u32(1), out.u32(0); })).send);
  EXPECT_EQ(before.code, 39);
  EXPECT_EQ(before.domain, 7);
  EXPECT_TRUE(said(take(rpc_call(66)).send).ok);
  EXPECT_TRUE(said(take(rpc_call(60, [](XdrWriter& out) { out.u32(10); })).send).ok)
      << "comes before the opening";
  EXPECT_FALSE(said(take(rpc_call(283, [](XdrWriter& out) { out.u32(1), out.u32(0); })).send).ok);
  EXPECT_THAT(networks_.called, IsEmpty());
  open();
  auto list = said(take(rpc_call(283, [](XdrWriter& out) { out.u32(1), out.u32(0); })).send);
  EXPECT_TRUE(list.ok);
  EXPECT_EQ(list.serial, 7U);
  EXPECT_EQ(list.result,
            bytes_of([&](XdrWriter& out) { out.u32(1), encode(out, networks_.net), out.u32(1); }));
}

TEST_F(RpcSession, AReaderChangesNothing) {
  open(1);
  for (const auto& procedure : rpc::procedures()) {
    if (!procedure.changes) continue;
    XdrReader in("");
    auto bytes = procedure.number == 39 ? call_with(39, net()) : rpc_call(procedure.number);
    auto reply = said(take(bytes).send);
    EXPECT_EQ(reply.code, 29) << procedure.name;
    EXPECT_EQ(reply.domain, 0) << procedure.name;
    EXPECT_THAT(reply.message, HasSubstr("read only access prevents"));
  }
  EXPECT_TRUE(said(take(call_with(152, net())).send).ok);
  EXPECT_THAT(networks_.called, ElementsAre("is_active"));
}

TEST_F(RpcSession, TheSocketForReadingIsForReadingWhateverTheClientSays) {
  session_ = rpc::Session({.uid = 65534, .read_only = true});
  open(0);
  EXPECT_EQ(said(take(call_with(39, net())).send).code, 29);
}

TEST_F(RpcSession, WhatLeavesBytesOverOrLacksSomeEndsTheConversation) {
  open();
  EXPECT_TRUE(take(call_with(152, net() + std::string(4, '\0'))).close);
  EXPECT_TRUE(take(call_with(152, net().substr(4))).close);
  EXPECT_TRUE(take(rpc::make_message({.procedure = 152, .type = rpc::MessageType{3}}, net())).close)
      << "a stream";
  EXPECT_THAT(networks_.called, IsEmpty());
}

TEST_F(RpcSession, UnknownProceduresAreToldInTheWordsThatClientsKnow) {
  open();
  auto reply = said(take(rpc_call(4)).send);
  EXPECT_EQ(reply.code, 39);
  EXPECT_EQ(reply.domain, 7);
  EXPECT_EQ(reply.message, "unknown procedure: 4");
  auto program = said(take(rpc::make_message({.program = 1, .procedure = 3}, "")).send);
  EXPECT_THAT(program.message, HasSubstr("Cannot find program 1"));
}

TEST_F(RpcSession, OtherUrisAreRefused) {
  take(rpc_call(66));
  auto reply = said(take(rpc_call(1, [](XdrWriter& out) {
                      out.u32(1);
                      out.string("qemu:///system");
                      out.u32(0);
                    })).send);
  EXPECT_EQ(reply.code, 5);
}

TEST_F(RpcSession, APingIsAnsweredWithAPong) {
  open();
  auto outcome = take(rpc::make_message(
      {.program = rpc::keepalive_program, .procedure = 1, .type = rpc::MessageType::Event}, ""));
  rpc::Message pong;
  ASSERT_EQ(rpc::take_message(outcome.send, 100, pong), rpc::Framing::Whole);
  EXPECT_EQ(pong.header.procedure, 2);
  EXPECT_EQ(pong.header.program, rpc::keepalive_program);
}

TEST_F(RpcSession, EventsGoToThoseThatHaveRegistered) {
  open();
  rpc::NetworkEvent started{.net = networks_.net, .detail = 2, .uri = {}};
  EXPECT_EQ(session_.tell(started), "");
  EXPECT_TRUE(said(take(rpc_call(313, [](XdrWriter& out) { out.u32(0), out.u32(0); })).send).ok);
  rpc::Message event;
  auto bytes = session_.tell(started);
  ASSERT_EQ(rpc::take_message(bytes, 1000, event), rpc::Framing::Whole);
  EXPECT_EQ(event.header.procedure, 315);
  EXPECT_EQ(event.header.type, rpc::MessageType::Event);
  EXPECT_EQ(event.payload, bytes_of([&](XdrWriter& out) {
              out.u32(0), encode(out, networks_.net), out.u32(2), out.u32(0);
            }));
  EXPECT_EQ(session_.tell({.kind = rpc::NetworkEvent::Kind::Metadata, .net = networks_.net, .uri = {}}), "");
  EXPECT_TRUE(said(take(rpc_call(314, [](XdrWriter& out) { out.u32(0); })).send).ok);
  EXPECT_EQ(session_.tell(started), "");
  EXPECT_FALSE(said(take(rpc_call(314, [](XdrWriter& out) { out.u32(0); })).send).ok);
}

TEST_F(RpcSession, EventsOfOneNetworkAreOfThatOne) {
  open();
  take(rpc_call(313, [&](XdrWriter& out) { out.u32(0), out.u32(1), encode(out, networks_.net); }));
  EXPECT_EQ(session_.tell({.net = {"other", {7}}, .uri = {}}), "");
  EXPECT_NE(session_.tell({.net = networks_.net, .uri = {}}), "");
}

TEST_F(RpcSession, LongMessagesAreForThoseThatMayChangeSomething) {
  EXPECT_EQ(session_.longest_message(), 64U << 10);
  open();
  EXPECT_EQ(session_.longest_message(), 4U << 20);
  session_ = rpc::Session({.uid = 1000, .read_only = true});
  open();
  EXPECT_EQ(session_.longest_message(), 256U << 10);
}

TEST(RpcProcedures, HaveNumbersOfTheirOwn) {
  std::set<std::int32_t> numbers;
  for (const auto& procedure : rpc::procedures()) EXPECT_TRUE(numbers.insert(procedure.number).second);
  EXPECT_EQ(numbers.size(), 45U);
}

TEST(RpcUuid, IsReadAsLibvirtWritesIt) {
  auto uuid = rpc::parse_uuid("3E3FCE45-4f53-4fa7-bb32-11f34168b82b");
  ASSERT_TRUE(uuid);
  EXPECT_EQ(rpc::uuid_text(*uuid), "3e3fce45-4f53-4fa7-bb32-11f34168b82b");
  EXPECT_FALSE(rpc::parse_uuid("3e3fce45"));
  EXPECT_FALSE(rpc::parse_uuid("3e3fce45-4f53-4fa7-bb32-11f34168b82bff"));
}

}  // namespace
}  // namespace vnet::test

// SPDX-License-Identifier: GPL-2.0-or-later
// The server with real sockets, and networks that are none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "loader/rpc/server.h"
#include "tests/support/fake_networks.h"
#include "tests/support/temporary_folder.h"

namespace vnet::test {
namespace {

using rpc::XdrWriter;

sockaddr_un address_at(const std::filesystem::path& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.native().copy(address.sun_path, sizeof(address.sun_path) - 1);
  return address;
}

class SlowNetworks : public FakeNetworks {
 public:
  rpc::Reply<rpc::Nothing> start(const rpc::Net& of) override {
    while (!may_go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return FakeNetworks::start(of);
  }
  rpc::Reply<std::string> xml(const rpc::Net&, std::uint32_t) override {
    ++asked;
    return std::string(100000, 'x');
  }
  std::atomic<unsigned> asked = 0;
  std::atomic<bool> may_go = false;
};

class RpcServer : public testing::Test {
 protected:
  void start(rpc::Limits limits = {}) {
    auto address = address_at(path_);
    Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
    ASSERT_EQ(0, ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)));
    ASSERT_EQ(0, ::listen(fd.get(), 100));
    std::vector<rpc::Listener> listeners;
    listeners.push_back({std::move(fd), false});
    auto server = rpc::Server::make(std::move(listeners), networks_, limits);
    ASSERT_TRUE(server);
    stop_ = Fd(::eventfd(0, 0));
    thread_ =
        std::thread([this, server = std::move(*server)]() mutable { (void)server->serve(stop_.get()); });
  }
  void TearDown() override {
    networks_.may_go = true;
    std::uint64_t one = 1;
    if (stop_) (void)!::write(stop_.get(), &one, sizeof(one));
    if (thread_.joinable()) thread_.join();
  }

  Fd connect() {
    auto address = address_at(path_);
    Fd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    EXPECT_EQ(0, ::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)));
    return fd;
  }
  Fd opened() {
    Fd fd = connect();
    send(fd, rpc_call(66) + rpc_call(1, [](XdrWriter& out) { out.u32(0), out.u32(0); }));
    EXPECT_NE(receive(fd), "");
    EXPECT_NE(receive(fd), "");
    return fd;
  }
  static void send(const Fd& fd, const std::string& bytes) {
    EXPECT_EQ(static_cast<ssize_t>(bytes.size()), ::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL));
  }
  static bool readable(const Fd& fd, int milliseconds) {
    pollfd item{.fd = fd.get(), .events = POLLIN};
    return ::poll(&item, 1, milliseconds) > 0;
  }
  // One whole message; "" when the connection has ended or nothing comes.
  static std::string receive(const Fd& fd) {
    std::string bytes(4, '\0');
    if (!fill(fd, bytes, 0)) return "";
    bytes.resize(rpc::XdrReader(bytes).u32());
    return fill(fd, bytes, 4) ? bytes : "";
  }
  static bool fill(const Fd& fd, std::string& bytes, std::size_t from) {
    while (from < bytes.size()) {
      if (!readable(fd, 10000)) return false;
      auto size = ::recv(fd.get(), bytes.data() + from, bytes.size() - from, 0);
      if (size <= 0) return false;
      from += static_cast<std::size_t>(size);
    }
    return true;
  }
  std::string with_net(std::int32_t number, std::uint32_t serial) {
    return rpc_call(
        number, [&](XdrWriter& out) { encode(out, networks_.net); }, serial);
  }
  std::string xml_call() {
    return rpc_call(43, [&](XdrWriter& out) { encode(out, networks_.net), out.u32(0); });
  }
  static std::uint32_t serial_of(const std::string& bytes) {
    rpc::Message message;
    rpc::take_message(bytes, 8 << 20, message);
    return message.header.serial;
  }

  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "sock";
  SlowNetworks networks_;
  Fd stop_;
  std::thread thread_;
};

TEST_F(RpcServer, WhatLooksDoesNotWaitForWhatChanges) {
  start();
  Fd client = opened(), other = opened();
  send(client, with_net(39, 11) + with_net(152, 12));
  EXPECT_EQ(serial_of(receive(client)), 12U) << "the change is still being made";
  send(other, with_net(152, 13));
  EXPECT_EQ(serial_of(receive(other)), 13U);
  networks_.may_go = true;
  EXPECT_EQ(serial_of(receive(client)), 11U);
}

TEST_F(RpcServer, SoManyCallsOfAClientAreMadeAndTheOthersWait) {
  start({.calls = 2});
  Fd client = opened();
  send(client, with_net(39, 1) + with_net(39, 2) + with_net(152, 3));
  EXPECT_FALSE(readable(client, 200)) << "it has two calls already";
  networks_.may_go = true;
  std::set<std::uint32_t> answered;
  for (int i = 0; i < 3; ++i) answered.insert(serial_of(receive(client)));
  EXPECT_THAT(answered, testing::ElementsAre(1, 2, 3));
}

TEST_F(RpcServer, AClientThatDoesNotReadIsNotReadFromEither) {
  start({.unsent = 1 << 18});
  Fd client = opened(), other = opened();
  std::string many;
  for (int i = 0; i < 1000; ++i) many += xml_call();  // 100 MB of answers
  send(client, many);
  send(other, with_net(152, 5));
  EXPECT_EQ(serial_of(receive(other)), 5U);
  EXPECT_LT(networks_.asked, 50U);
  // All are answered as it reads.
  for (int i = 0; i < 20; ++i) EXPECT_GT(receive(client).size(), 100000U);
}

TEST_F(RpcServer, AMessageThatIsTooLongOrNoneEndsTheConnection) {
  start();
  Fd client = connect();
  send(client, std::string("\x00\x10\x00\x00", 4) + std::string(60, '\0'));
  EXPECT_EQ(receive(client), "");
  Fd other = opened();
  send(other, std::string(64, '\xff'));
  EXPECT_EQ(receive(other), "");
}

TEST_F(RpcServer, ASilentClientIsCutOff) {
  start({.opening = std::chrono::seconds(1)});
  Fd silent = connect(), talker = opened();
  EXPECT_EQ(receive(silent), "");
  send(talker, with_net(152, 5));
  EXPECT_EQ(serial_of(receive(talker)), 5U) << "one that has opened may be silent";
}

TEST_F(RpcServer, ThereAreSoManyClients) {
  start({.clients = 3});
  std::vector<Fd> all;
  for (int i = 0; i < 3; ++i) all.push_back(opened());
  Fd one_more = connect();
  char byte = 0;
  EXPECT_TRUE(readable(one_more, 10000));
  EXPECT_LE(::recv(one_more.get(), &byte, 1, 0), 0);
  all.pop_back();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  EXPECT_TRUE(opened());
}

TEST_F(RpcServer, AClientThatLeavesDuringItsCallTakesNothingAlong) {
  start();
  {
    Fd client = opened();
    send(client, with_net(39, 1));
  }
  networks_.may_go = true;
  Fd other = opened();
  send(other, with_net(39, 2));
  EXPECT_EQ(serial_of(receive(other)), 2U);
}

}  // namespace
}  // namespace vnet::test

// SPDX-License-Identifier: GPL-2.0-or-later
// The conversation with one of FRR's daemons, which here says what the test wants.
#include "loader/services/frr_vty.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <map>
#include <thread>

#include "tests/support/temporary_folder.h"

namespace vnet {
namespace {

using namespace std::string_literals;
using testing::ElementsAre;
using testing::HasSubstr;

// Serves one client. An answer is sent byte by byte; a command without one ends the conversation.
class Daemon {
 public:
  Daemon(const std::filesystem::path& path, std::map<std::string, std::string> answers)
      : answers_(std::move(answers)), listening_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
    std::ranges::copy(path.string(), address.sun_path);
    EXPECT_EQ(0, ::bind(listening_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)));
    EXPECT_EQ(0, ::listen(listening_.get(), 1));
    thread_ = std::thread([this] { serve(); });
  }
  // When the client has gone.
  std::vector<std::string> heard() {
    thread_.join();
    return heard_;
  }

 private:
  void serve() {
    Fd client(::accept(listening_.get(), nullptr, nullptr));
    std::string command;
    for (char byte = 0; ::recv(client.get(), &byte, 1, 0) == 1;) {
      if (byte) {
        command.push_back(byte);
        continue;
      }
      heard_.push_back(command);
      auto answer = answers_.find(std::exchange(command, ""));
      if (answer == answers_.end()) return;
      for (char one : answer->second) ::send(client.get(), &one, 1, MSG_NOSIGNAL);
    }
  }

  std::map<std::string, std::string> answers_;
  Fd listening_;
  std::vector<std::string> heard_;
  std::thread thread_;
};

const std::string good = "\0\0\0\0"s;

TEST(FrrVty, NobodyThere) {
  test::TemporaryFolder folder;
  auto vty = FrrVty::connect(folder.path(), "bgpd");
  ASSERT_FALSE(vty);
  EXPECT_EQ(ErrorKind::NotFound, vty.error().kind);
  EXPECT_THAT(vty.error().message, HasSubstr("set bgpd=yes in /etc/frr/daemons"));
}

TEST(FrrVty, AsksAndConfigures) {
  test::TemporaryFolder folder;
  Daemon daemon(folder.path() / "bgpd.vty", {{"enable", good},
                                             {"show x", "a\nb\n" + good},
                                             {"configure terminal", good},
                                             {"router bgp 1", good},
                                             {"end", good}});
  {
    auto vty = FrrVty::connect(folder.path(), "bgpd");
    ASSERT_TRUE(vty) << vty.error().message;
    EXPECT_EQ("a\nb\n", vty->ask("show x").value_or(""));
    EXPECT_TRUE(vty->configure({}));
    EXPECT_TRUE(vty->configure({"router bgp 1"}));
  }
  EXPECT_THAT(daemon.heard(), ElementsAre("enable", "show x", "configure terminal", "router bgp 1", "end"));
}

// What comes behind the refused command is not sent.
TEST(FrrVty, ARefusalIsToldInItsWords) {
  test::TemporaryFolder folder;
  Daemon daemon(folder.path() / "bgpd.vty", {{"enable", good},
                                             {"configure terminal", good},
                                             {"router bgp 2", "BGP is already running; AS is 1\n\0\0\0\x0d"s},
                                             {"end", good}});
  {
    auto vty = FrrVty::connect(folder.path(), "bgpd");
    ASSERT_TRUE(vty) << vty.error().message;
    auto done = vty->configure({"router bgp 2", "network 10.0.0.0/8"});
    ASSERT_FALSE(done);
    EXPECT_EQ("FRR's bgpd refuses 'router bgp 2': BGP is already running; AS is 1", done.error().message);
  }
  EXPECT_THAT(daemon.heard(), ElementsAre("enable", "configure terminal", "router bgp 2", "end"));
}

TEST(FrrVty, ItsEndIsAnError) {
  test::TemporaryFolder folder;
  Daemon daemon(folder.path() / "bgpd.vty", {{"enable", good}});
  {
    auto vty = FrrVty::connect(folder.path(), "bgpd");
    ASSERT_TRUE(vty) << vty.error().message;
    auto answer = vty->ask("show x");
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().message, HasSubstr("has ended while it was asked"));
  }
  daemon.heard();
}

}  // namespace
}  // namespace vnet

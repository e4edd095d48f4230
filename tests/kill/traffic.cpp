// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/kill/traffic.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string_view>
#include <system_error>

#include "tests/support/inside.h"

namespace vnet::test {
namespace {

constexpr std::string_view mark = "kill-sweep ";
// Few: `detach` and `stop` forget every flow by a call of its own, and the sweep meets each of them.
constexpr int new_flows = 1;
// Often enough that a gap of some milliseconds is seen, seldom enough that two cores have time for the rest.
constexpr std::chrono::milliseconds pause{4};

Fd packet_socket(const Namespace& where, const std::string& interface, std::uint16_t protocol) {
  Fd fd;
  run_inside(where, [&] {
    fd = Fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    int size = 16 << 20, on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    ::setsockopt(fd.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(protocol);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
      throw std::system_error(errno, std::generic_category(), "a packet socket at " + interface);
  });
  return fd;
}

std::string printed(int family, const std::uint8_t* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  return ::inet_ntop(family, address, text.data(), text.size());
}

}  // namespace

Traffic::~Traffic() {
  ended_ = true;
  if (sending_.joinable()) sending_.join();
  if (hearing_.joinable()) hearing_.join();
}

void Traffic::listen(const std::string& name, const Namespace& where, const std::string& interface) {
  ears_.push_back({name, packet_socket(where, interface, ETH_P_ALL)});
}

Fd& Traffic::socket_of(const Namespace& where, const std::string& interface) {
  auto [at, made] = sockets_.try_emplace(where.name() + "/" + interface);
  if (made) at->second = packet_socket(where, interface, 0);  // protocol 0: it hears nothing
  return at->second;
}

void Traffic::send_from(const std::string& name, const Namespace& where, const std::string& interface,
                        const Packet& headers, std::uint16_t port) {
  Sender sender{&socket_of(where, interface), {}};
  for (int flow = 0; flow <= new_flows; ++flow) {
    auto from = static_cast<std::uint16_t>(40000 + flow);
    sender.frames.push_back(headers / Udp{.src_port = from, .dst_port = port} /
                            Payload(std::string(mark) + name + "\n"));
  }
  senders_.push_back(std::move(sender));
}

void Traffic::begin() {
  hearing_ = std::thread([this] { hear_loop(); });
  sending_ = std::thread([this] { send_loop(); });
}

void Traffic::send_loop() {
  for (std::size_t round = 0; !ended_; ++round) {
    for (const Sender& sender : senders_) {
      for (std::size_t flow : {std::size_t{0}, 1 + round % new_flows}) {
        const Bytes& frame = sender.frames[flow];
        // Refused while the link is down: that is no trouble of ours.
        if (::send(sender.fd->get(), frame.data(), frame.size(), 0) > 0) ++sent_;
      }
    }
    std::this_thread::sleep_for(pause);
  }
}

void Traffic::hear_loop() {
  std::vector<pollfd> watched;
  for (const Ear& ear : ears_) watched.push_back({.fd = ear.fd.get(), .events = POLLIN, .revents = 0});
  Bytes frame;
  while (!ended_) {
    if (::poll(watched.data(), watched.size(), 50) <= 0) continue;
    for (std::size_t i = 0; i < ears_.size(); ++i) {
      for (;;) {
        frame.resize(2048);
        ssize_t got = ::recv(watched[i].fd, frame.data(), frame.size(), 0);
        if (got < 0 && errno == ENETDOWN) continue;  // said once, when the link goes down
        if (got < 0) break;
        frame.resize(static_cast<std::size_t>(got));
        note(ears_[i].name, frame);
      }
    }
  }
}

void Traffic::note(const std::string& where, const Bytes& frame) {
  std::string_view text(reinterpret_cast<const char*>(frame.data()), frame.size());
  auto at = text.find(mark);
  if (at == std::string_view::npos || frame.size() < 54) return;
  Heard heard{.where = where};
  auto end = text.find('\n', at);
  heard.sender = text.substr(at + mark.size(), end - at - mark.size());
  const std::uint8_t* ip = frame.data() + 14;
  // What quotes a frame of ours is an ICMP error: who sends it is no matter of the sender's.
  bool v4 = (ip[0] >> 4) == 4;
  if ((v4 ? ip[9] : ip[6]) != IPPROTO_UDP) return;
  heard.source = v4 ? printed(AF_INET, ip + 12) : printed(AF_INET6, ip + 8);
  heard.destination = v4 ? printed(AF_INET, ip + 16) : printed(AF_INET6, ip + 24);
  const std::uint8_t* udp = ip + (v4 ? (ip[0] & 15) * 4 : 40);
  heard.port = static_cast<std::uint16_t>(udp[2] << 8 | udp[3]);
  std::lock_guard lock(mutex_);
  ++heard_[heard];
}

std::map<Heard, int> Traffic::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(heard_, {});
}

}  // namespace vnet::test

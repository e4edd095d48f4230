// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/sniffer.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "tests/support/errors.h"
#include "tests/support/inside.h"

namespace vnet::hostile {
namespace {

constexpr std::size_t frames_a_call = 32, snap = 4096;  // more of a frame says nothing new

}  // namespace

Sniffer::Sniffer(const test::Namespace& where, const std::string& interface) : room_(frames_a_call * snap) {
  test::run_inside(where, [&] {
    fd_ = Fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    test::check(fd_.get(), "opening a packet socket");
    int size = 64 << 20, yes = 1;
    test::check(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size), "SO_RCVBUFFORCE");
    test::check(::setsockopt(fd_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes),
                "PACKET_IGNORE_OUTGOING");
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    test::check(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
                "binding to " + interface);
    packet_mreq all{.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    test::check(::setsockopt(fd_.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all),
                "promiscuous mode");
  });
}

void Sniffer::drain(const std::function<void(std::span<const std::uint8_t>)>& each) {
  for (;;) {
    mmsghdr messages[frames_a_call] = {};
    iovec parts[frames_a_call];
    for (std::size_t i = 0; i < frames_a_call; ++i) {
      parts[i] = {room_.data() + i * snap, snap};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    int got = ::recvmmsg(fd_.get(), messages, frames_a_call, 0, nullptr);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    test::check(got, "sniffing");
    heard_ += static_cast<std::uint64_t>(got);
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i)
      each({room_.data() + i * snap, std::min<std::size_t>(messages[i].msg_len, snap)});
    if (static_cast<std::size_t>(got) < frames_a_call) return;
  }
}

std::uint64_t Sniffer::lost() {
  tpacket_stats counted{};
  socklen_t size = sizeof counted;
  test::check(::getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &counted, &size), "PACKET_STATISTICS");
  return lost_ += counted.tp_drops;  // reading resets it
}

}  // namespace vnet::hostile

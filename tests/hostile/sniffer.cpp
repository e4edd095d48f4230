// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/sniffer.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

#include "tests/support/inside.h"

namespace vnet::hostile {
namespace {

constexpr std::size_t batch = 32, snap = 4096;  // more of a frame says nothing new

void check(long result, const std::string& what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

Sniffer::Sniffer(const test::Namespace& where, const std::string& interface) : room_(batch * snap) {
  test::run_inside(where, [&] {
    fd_ = Fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    check(fd_.get(), "opening a packet socket");
    int size = 64 << 20, yes = 1;
    check(::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size), "SO_RCVBUFFORCE");
    check(::setsockopt(fd_.get(), SOL_PACKET, PACKET_IGNORE_OUTGOING, &yes, sizeof yes),
          "PACKET_IGNORE_OUTGOING");
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    check(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
          "binding to " + interface);
    packet_mreq all{.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
    check(::setsockopt(fd_.get(), SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all), "promiscuous mode");
  });
}

void Sniffer::drain(const std::function<void(std::span<const std::uint8_t>)>& each) {
  for (;;) {
    mmsghdr messages[batch] = {};
    iovec parts[batch];
    for (std::size_t i = 0; i < batch; ++i) {
      parts[i] = {room_.data() + i * snap, snap};
      messages[i].msg_hdr.msg_iov = &parts[i];
      messages[i].msg_hdr.msg_iovlen = 1;
    }
    int got = ::recvmmsg(fd_.get(), messages, batch, 0, nullptr);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    check(got, "sniffing");
    heard_ += static_cast<std::uint64_t>(got);
    for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i)
      each({room_.data() + i * snap, std::min<std::size_t>(messages[i].msg_len, snap)});
    if (static_cast<std::size_t>(got) < batch) return;
  }
}

std::uint64_t Sniffer::lost() {
  tpacket_stats counted{};
  socklen_t size = sizeof counted;
  check(::getsockopt(fd_.get(), SOL_PACKET, PACKET_STATISTICS, &counted, &size), "PACKET_STATISTICS");
  return lost_ += counted.tp_drops;  // reading resets it
}

}  // namespace vnet::hostile

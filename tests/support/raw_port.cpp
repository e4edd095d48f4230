// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/raw_port.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tests/support/errors.h"
#include "tests/support/inside.h"

namespace vnet::test {
namespace {

void set(const Fd& fd, int option, int value, const char* what) {
  check(::setsockopt(fd.get(), SOL_PACKET, option, &value, sizeof value), what);
}

}  // namespace

RawPort::RawPort(const Namespace& where, const std::string& interface, const RawPortOptions& options)
    : interface_(interface), options_(options) {
  run_inside(where, [&] {
    // Protocol 0 until it is bound: nothing of other interfaces may be in the queue.
    fd_ = Fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    check(fd_.get(), "opening a packet socket");
    if (options.vnet_hdr) set(fd_, PACKET_VNET_HDR, 1, "PACKET_VNET_HDR");
    if (options.auxdata) set(fd_, PACKET_AUXDATA, 1, "PACKET_AUXDATA");
    int size = 8 << 20;
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    if (address.sll_ifindex == 0) throw std::invalid_argument("no interface " + interface);
    check(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
          "binding to " + interface);
  });
}

void RawPort::send(const VirtioFrame& frame) const {
  if (!options_.vnet_hdr && (frame.needs_checksum() || frame.is_gso())) {
    throw std::logic_error("a packet socket without a virtio header cannot send unfinished frames");
  }
  VirtioHeader header = frame.header;
  Bytes body = frame.frame;
  iovec parts[] = {{&header, options_.vnet_hdr ? VirtioHeader::old_size : 0}, {body.data(), body.size()}};
  // Frames that wait for a neighbour's MAC are still charged to the socket.
  pollfd waiting{.fd = fd_.get(), .events = POLLOUT, .revents = 0};
  ::poll(&waiting, 1, 5000);
  check(::writev(fd_.get(), parts, 2), "sending on " + interface_);
}

std::optional<CapturedFrame> RawPort::receive(std::chrono::milliseconds limit) const {
  auto deadline = std::chrono::steady_clock::now() + limit;
  for (;;) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    if (left.count() < 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return std::nullopt;
    CapturedFrame result;
    result.frame.resize(70000);
    std::size_t header = options_.vnet_hdr ? VirtioHeader::old_size : 0;
    iovec parts[] = {{&result.header, header}, {result.frame.data(), result.frame.size()}};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(tpacket_auxdata))];
    sockaddr_ll from{};
    msghdr message{};
    message.msg_name = &from;
    message.msg_namelen = sizeof from;
    message.msg_iov = parts;
    message.msg_iovlen = 2;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    ssize_t got = ::recvmsg(fd_.get(), &message, 0);
    if (got < 0 && errno == EAGAIN) continue;
    check(got, "receiving on " + interface_);
    result.outgoing = from.sll_pkttype == PACKET_OUTGOING;
    if (result.outgoing && !options_.outgoing) continue;
    result.frame.resize(static_cast<std::size_t>(got) - header);
    for (cmsghdr* one = CMSG_FIRSTHDR(&message); one; one = CMSG_NXTHDR(&message, one)) {
      if (one->cmsg_level != SOL_PACKET || one->cmsg_type != PACKET_AUXDATA) continue;
      tpacket_auxdata data;
      std::memcpy(&data, CMSG_DATA(one), sizeof data);
      result.checksum_ready = !(data.tp_status & TP_STATUS_CSUMNOTREADY);
      result.checksum_verified = data.tp_status & TP_STATUS_CSUM_VALID;
      if (data.tp_status & TP_STATUS_VLAN_VALID) result.vlan_tci = data.tp_vlan_tci;
    }
    return result;
  }
}

std::optional<VirtioFrame> RawPort::expect_frame(const FrameTest& test,
                                                 std::chrono::milliseconds limit) const {
  return first_match([this](auto left) -> std::optional<VirtioFrame> { return receive(left); }, test, limit);
}

void RawPort::expect_no_frame(const FrameTest& test, std::chrono::milliseconds window) const {
  no_match([this](auto left) -> std::optional<VirtioFrame> { return receive(left); }, test, window);
}

}  // namespace vnet::test

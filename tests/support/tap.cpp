// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/tap.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include "tests/support/errors.h"
#include "tests/support/inside.h"

namespace vnet::test {
namespace {

// Younger than the headers of the oldest system that this builds on (Linux 6.2).
constexpr unsigned tun_f_uso4 = 0x20, tun_f_uso6 = 0x40;

}  // namespace

Tap::Tap(const Namespace& where, const std::string& name, const TapOptions& options)
    : name_(name), options_(options) {
  run_inside(where, [&] {
    fd_ = Fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    check(fd_.get(), "opening /dev/net/tun");
    ifreq request{};
    if (name.size() >= IFNAMSIZ) throw std::invalid_argument("too long for an interface: " + name);
    std::memcpy(request.ifr_name, name.c_str(), name.size());
    request.ifr_flags = static_cast<short>(IFF_TAP | IFF_NO_PI | (options.vnet_hdr ? IFF_VNET_HDR : 0));
    check(::ioctl(fd_.get(), TUNSETIFF, &request), "making tap " + name);
    if (options.vnet_hdr) {
      check(::ioctl(fd_.get(), TUNSETVNETHDRSZ, &options.header_size), "TUNSETVNETHDRSZ");
      unsigned offload = options.offload ? TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 : 0U;
      udp_segmentation_ =
          options.offload && ::ioctl(fd_.get(), TUNSETOFFLOAD, offload | tun_f_uso4 | tun_f_uso6) == 0;
      if (!udp_segmentation_) check(::ioctl(fd_.get(), TUNSETOFFLOAD, offload), "TUNSETOFFLOAD");
    }
  });
  if (!options.address_chatter) where.must("sysctl -qw net.ipv6.conf." + name + ".disable_ipv6=1");
  where.must("ip link set " + name + " up");
}

void Tap::send(const VirtioFrame& frame) const {
  if (!options_.vnet_hdr && (frame.needs_checksum() || frame.is_gso())) {
    throw std::logic_error("a tap without a virtio header cannot send unfinished frames");
  }
  VirtioHeader header = frame.header;
  Bytes body = frame.frame;
  iovec parts[] = {{&header, options_.vnet_hdr ? static_cast<std::size_t>(options_.header_size) : 0},
                   {body.data(), body.size()}};
  check(::writev(fd_.get(), parts, 2), "sending on tap " + name_);
}

std::optional<VirtioFrame> Tap::receive(std::chrono::milliseconds limit) const {
  pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  if (::poll(&waiting, 1, static_cast<int>(limit.count())) <= 0) return std::nullopt;
  VirtioFrame result;
  result.frame.resize(70000);
  std::size_t header = options_.vnet_hdr ? static_cast<std::size_t>(options_.header_size) : 0;
  iovec parts[] = {{&result.header, header}, {result.frame.data(), result.frame.size()}};
  ssize_t got = ::readv(fd_.get(), parts, 2);
  if (got < 0 && errno == EAGAIN) return std::nullopt;
  check(got, "receiving on tap " + name_);
  result.frame.resize(static_cast<std::size_t>(got) - header);
  return result;
}

std::optional<VirtioFrame> Tap::expect_frame(const FrameTest& test, std::chrono::milliseconds limit) const {
  return first_match([this](auto left) { return receive(left); }, test, limit);
}

void Tap::expect_no_frame(const FrameTest& test, std::chrono::milliseconds window) const {
  no_match([this](auto left) { return receive(left); }, test, window);
}

}  // namespace vnet::test

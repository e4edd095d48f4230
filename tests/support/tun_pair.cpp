// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/tun_pair.h"

#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "tests/support/inside.h"

namespace vnet::test {
namespace {

Fd open_tun(const Namespace& where, const std::string& name) {
  Fd fd;
  run_inside(where, [&] {
    fd = Fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
    ifreq request{};
    name.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_flags = IFF_TUN | IFF_NO_PI;
    if (!fd || ::ioctl(fd.get(), TUNSETIFF, &request) != 0)
      throw std::system_error(errno, std::generic_category(), "making " + name);
  });
  where.must("ip link set " + name + " up");
  return fd;
}

}  // namespace

TunPair::TunPair(const Namespace& one, const Namespace& two, const std::string& name)
    : ends_{open_tun(one, name), open_tun(two, name)} {
  carrier_ = std::jthread([this](const std::stop_token& stop) {
    char packet[65536];
    pollfd polled[] = {{ends_[0].get(), POLLIN, 0}, {ends_[1].get(), POLLIN, 0}};
    while (!stop.stop_requested()) {
      ::poll(polled, 2, 50);
      for (int end : {0, 1}) {
        // What the other end does not take is lost, as on any link.
        for (ssize_t bytes; (bytes = ::read(ends_[end].get(), packet, sizeof packet)) > 0;)
          if (::write(ends_[!end].get(), packet, static_cast<std::size_t>(bytes)) < 0) break;
      }
    }
  });
}

}  // namespace vnet::test

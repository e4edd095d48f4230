// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/hostile/veth_sender.h"

#include <linux/if_packet.h>
#include <net/if.h>
#include <sys/socket.h>

#include <cerrno>

#include "tests/support/errors.h"
#include "tests/support/inside.h"

namespace vnet::hostile {

VethSender::VethSender(const test::Namespace& where, const std::string& interface) {
  test::run_inside(where, [&] {
    fd_ = Fd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0));  // protocol 0: hears nothing
    test::check(fd_.get(), "opening a packet socket");
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_ifindex = static_cast<int>(::if_nametoindex(interface.c_str()));
    test::check(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address),
                "binding to " + interface);
  });
}

std::size_t VethSender::send(const std::vector<test::VirtioFrame>& frames) const {
  std::vector<iovec> parts;
  std::vector<mmsghdr> messages(frames.size());
  parts.reserve(frames.size());
  for (std::size_t i = 0; i < frames.size(); ++i) {
    parts.push_back({const_cast<std::uint8_t*>(frames[i].frame.data()), frames[i].frame.size()});
    messages[i].msg_hdr.msg_iov = &parts[i];
    messages[i].msg_hdr.msg_iovlen = 1;
  }
  std::size_t refused = 0;
  for (std::size_t done = 0; done < messages.size();) {
    int sent = ::sendmmsg(fd_.get(), &messages[done], static_cast<unsigned>(messages.size() - done), 0);
    if (sent > 0) {
      done += static_cast<std::size_t>(sent);
    } else {  // too long, or too short for a header: the next one may do
      refused++;
      done++;
    }
  }
  return refused;
}

}  // namespace vnet::hostile

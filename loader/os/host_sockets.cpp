// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/os/host_sockets.h"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "loader/base/fd.h"
#include "loader/base/files.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

struct Kind {
  const char* protocol;
  int number;
  int state;
};
constexpr Kind kinds[] = {
    {"tcp", IPPROTO_TCP, TCP_LISTEN}, {"udp", IPPROTO_UDP, TCP_CLOSE}, {"sctp", IPPROTO_SCTP, TCP_LISTEN}};

struct Found {
  HostSocket socket;
  std::uint32_t inode = 0;
};

Address address_of(const inet_diag_msg& message) {
  Address address{.family = message.idiag_family == AF_INET ? Family::V4 : Family::V6};
  std::memcpy(address.bytes.data(), message.id.idiag_src, address.bits() / 8);
  return address;
}

bool is_ipv6_only(const nlmsghdr* header, inet_diag_msg* message) {
  int left = static_cast<int>(header->nlmsg_len - NLMSG_LENGTH(sizeof(*message)));
  for (auto* attribute = reinterpret_cast<rtattr*>(message + 1); RTA_OK(attribute, left);
       attribute = RTA_NEXT(attribute, left))
    if (attribute->rta_type == INET_DIAG_SKV6ONLY)
      return *static_cast<const std::uint8_t*>(RTA_DATA(attribute));
  return false;
}

// False: that was the last, or the kernel knows none of this kind.
bool read_answers(int fd, const Kind& kind, std::vector<Found>& into) {
  alignas(nlmsghdr) std::array<char, 32768> room{};
  const auto got = ::recv(fd, room.data(), room.size(), 0);
  if (got <= 0) return false;
  auto left = static_cast<unsigned>(got);
  for (auto* header = reinterpret_cast<nlmsghdr*>(room.data()); NLMSG_OK(header, left);
       header = NLMSG_NEXT(header, left)) {
    if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY) return false;
    auto* message = static_cast<inet_diag_msg*>(NLMSG_DATA(header));
    into.push_back({.socket = {.protocol = kind.protocol,
                               .address = address_of(*message),
                               .port = ntohs(message->id.idiag_sport),
                               .ipv6_only = is_ipv6_only(header, message)},
                    .inode = message->idiag_inode});
  }
  return true;
}

void list(int fd, const Kind& kind, int family, std::vector<Found>& into) {
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } ask{};
  ask.header = {.nlmsg_len = sizeof(ask), .nlmsg_type = SOCK_DIAG_BY_FAMILY, .nlmsg_flags = 0};
  ask.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
  ask.request.sdiag_family = static_cast<std::uint8_t>(family);
  ask.request.sdiag_protocol = static_cast<std::uint8_t>(kind.number);
  ask.request.idiag_states = 1U << kind.state;
  if (::send(fd, &ask, sizeof(ask), 0) < 0) return;
  while (read_answers(fd, kind, into)) {
  }
}

std::string first_line(const std::string& path) {
  auto text = read_file(path);
  return text && *text ? (*text)->substr(0, (*text)->find('\n')) : "";
}

// "0::/system.slice/named.service" -> "named.service"
std::string unit_of(const std::string& pid) {
  std::string cgroup = first_line("/proc/" + pid + "/cgroup");
  std::string last = cgroup.substr(cgroup.rfind('/') + 1);
  return last.ends_with(".service") ? last : "";
}

void name_owners(std::vector<Found>& sockets) {
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    std::string pid = process.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    for (const auto& descriptor : fs::directory_iterator(process.path() / "fd", error)) {
      std::string target = fs::read_symlink(descriptor.path(), error).string();
      if (!target.starts_with("socket:[")) continue;
      for (auto& [socket, inode] : sockets) {
        if (target != "socket:[" + std::to_string(inode) + "]" || socket.pid) continue;
        std::from_chars(pid.data(), pid.data() + pid.size(), socket.pid);
        socket.process = first_line("/proc/" + pid + "/comm");
        socket.unit = unit_of(pid);
      }
    }
  }
}

}  // namespace

std::vector<HostSocket> host_sockets(const std::function<bool(const HostSocket&)>& wanted) {
  std::vector<Found> found;
  for (const Kind& kind : kinds)
    for (int family : {AF_INET, AF_INET6}) {
      Fd fd(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
      if (fd) list(fd.get(), kind, family, found);
    }
  std::erase_if(found, [&](const Found& one) { return !wanted(one.socket); });
  if (!found.empty()) name_owners(found);
  std::vector<HostSocket> sockets;
  for (auto& one : found) sockets.push_back(std::move(one.socket));
  return sockets;
}

}  // namespace vnet

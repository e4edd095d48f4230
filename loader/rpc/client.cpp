// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/rpc/client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>

#include "loader/rpc/message.h"

namespace vnet::rpc {
namespace {

constexpr timeval patience{.tv_sec = 60, .tv_usec = 0};  // a network's start or end takes seconds
constexpr std::size_t longest_answer = 32U << 20;
constexpr std::uint32_t most_networks = 16384, most_leases = 65536;
constexpr std::size_t least_network = 20, least_lease = 44;  // bytes on the wire
constexpr std::uint32_t no_authentication = 0;

template <typename... Values>
std::string arguments(const Values&... values) {
  XdrWriter out;
  (encode(out, values), ...);
  return out.take();
}

std::unexpected<Error> unreadable() {
  return failed("libvirt's answer cannot be read");
}

// Of libvirt's error the words.
std::string reason_in(std::string_view payload) {
  XdrReader in(payload);
  in.u32();
  in.u32();
  auto message = decode<std::optional<std::string>>(in);
  return in.ok() && message ? *message : "an error without words";
}

LeaseRow decode_lease(XdrReader& in) {
  LeaseRow lease;
  lease.interface = in.string();
  lease.expiry = static_cast<std::int64_t>(in.u64());
  lease.type = static_cast<std::int32_t>(in.u32());
  lease.mac = decode<std::optional<std::string>>(in);
  lease.iaid = decode<std::optional<std::string>>(in);
  lease.address = in.string();
  lease.prefix = in.u32();
  lease.hostname = decode<std::optional<std::string>>(in);
  lease.client_id = decode<std::optional<std::string>>(in);
  return lease;
}

}  // namespace

Result<Client> Client::connect(const std::filesystem::path& socket) {
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("making a socket");
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (socket.native().size() >= sizeof(address.sun_path)) return failed(socket.string() + " is too long");
  socket.native().copy(address.sun_path, socket.native().size());
  for (int way : {SO_RCVTIMEO, SO_SNDTIMEO})
    setsockopt(fd.get(), SOL_SOCKET, way, &patience, sizeof(patience));
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) < 0)
    return system_error("asking libvirt at " + socket.string());
  Client client(std::move(fd));
  if (auto opened = client.open(); !opened)
    return std::unexpected(std::move(opened).error().within("asking libvirt at " + socket.string()));
  return client;
}

Result<void> Client::open() {
  VNET_ASSIGN(auto ways, call(Ask::AuthList, ""));
  XdrReader in(ways);
  bool free = false;
  for (auto left = in.count(16, 4); left && in.ok(); --left) free |= in.u32() == no_authentication;
  if (!free)
    return failed("it wants authentication even from root (auth_unix_rw in libvirt's configuration)");
  VNET_TRY(
      call(Ask::ConnectOpen, arguments(std::optional<std::string>("network:///system"), std::uint32_t{0})));
  return {};
}

Result<std::string> Client::call(Ask procedure, const std::string& payload) {
  auto question =
      make_message({.procedure = static_cast<std::int32_t>(procedure), .serial = ++serial_}, payload);
  for (std::string_view left = question; !left.empty();) {
    auto sent = ::send(socket_.get(), left.data(), left.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return system_error("asking libvirt");
    left.remove_prefix(static_cast<std::size_t>(sent));
  }
  while (true) {
    Message message;
    auto framing = take_message(received_, longest_answer, message);
    if (framing == Framing::Broken) return unreadable();
    if (framing == Framing::Whole) {
      bool is_ours = message.header.program == network_program && message.header.type == MessageType::Reply &&
                     message.header.serial == serial_;
      std::string answer(message.payload);
      received_.erase(0, message.bytes);
      if (!is_ours) continue;
      if (message.header.status == Status::Ok) return answer;
      return failed("libvirt: " + reason_in(answer));
    }
    std::array<char, 65536> buffer;
    auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return failed("libvirt does not answer");
    if (got < 0) return system_error("waiting for libvirt");
    if (got == 0) return failed("libvirt has closed the connection");
    received_.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

Result<bool> Client::flag(Ask procedure, const Net& net) {
  VNET_ASSIGN(auto answer, call(procedure, arguments(net)));
  XdrReader in(answer);
  bool set = in.u32() != 0;
  if (!in.ok()) return unreadable();
  return set;
}

Result<void> Client::change(Ask procedure, const Net& net) {
  VNET_TRY(call(procedure, arguments(net)));
  return {};
}

Result<std::uint64_t> Client::library_version() {
  VNET_ASSIGN(auto answer, call(Ask::ConnectGetLibVersion, ""));
  XdrReader in(answer);
  auto version = in.u64();
  if (!in.ok()) return unreadable();
  return version;
}

Result<std::vector<Net>> Client::networks() {
  VNET_ASSIGN(auto answer, call(Ask::ConnectListAllNetworks, arguments(std::int32_t{1}, std::uint32_t{0})));
  XdrReader in(answer);
  std::vector<Net> all;
  for (auto left = in.count(most_networks, least_network); left && in.ok(); --left)
    all.push_back(decode<Net>(in));
  if (!in.ok()) return unreadable();
  return all;
}

Result<std::string> Client::inactive_xml(const Net& net) {
  constexpr std::uint32_t as_stored = 1;
  VNET_ASSIGN(auto answer, call(Ask::NetworkGetXmlDesc, arguments(net, as_stored)));
  XdrReader in(answer);
  auto xml = in.string();
  if (!in.ok()) return unreadable();
  return xml;
}

Result<std::vector<LeaseRow>> Client::leases(const Net& net) {
  VNET_ASSIGN(auto answer, call(Ask::NetworkGetDhcpLeases, arguments(net, std::optional<std::string>(),
                                                                     std::int32_t{1}, std::uint32_t{0})));
  XdrReader in(answer);
  std::vector<LeaseRow> all;
  for (auto left = in.count(most_leases, least_lease); left && in.ok(); --left)
    all.push_back(decode_lease(in));
  if (!in.ok()) return unreadable();
  return all;
}

Result<std::vector<std::string>> Client::port_xmls(const Net& net) {
  VNET_ASSIGN(auto answer, call(Ask::NetworkListAllPorts, arguments(net, std::int32_t{1}, std::uint32_t{0})));
  XdrReader in(answer);
  std::vector<Port> ports;
  for (auto left = in.count(most_networks, 2 * least_network); left && in.ok(); --left)
    ports.push_back(decode<Port>(in));
  if (!in.ok()) return unreadable();
  std::vector<std::string> all;
  for (const auto& port : ports) {
    auto text = call(Ask::NetworkPortGetXmlDesc, arguments(port, std::uint32_t{0}));
    if (!text) continue;  // gone meanwhile
    XdrReader xml(*text);
    all.push_back(xml.string());
    if (!xml.ok()) return unreadable();
  }
  return all;
}

}  // namespace vnet::rpc

// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/tap_guest.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <stdexcept>

namespace vnet::test {
namespace {

using std::chrono::milliseconds;

bool is_v6(const std::string& ip) {
  return ip.find(':') != std::string::npos;
}

std::string text(int family, const std::uint8_t* raw) {
  char buffer[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, raw, buffer, sizeof buffer);
  return buffer;
}

std::string mac_text(const std::uint8_t* raw) {
  return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", raw[0], raw[1], raw[2], raw[3], raw[4],
                     raw[5]);
}

}  // namespace

TapGuest::TapGuest(const Namespace& host, const std::string& tap_name, GuestAddresses addresses,
                   const TapOptions& options)
    : addresses_(std::move(addresses)),
      tap_(host, tap_name, options),
      reader_([this](const std::stop_token& stop) { read(stop); }) {}

TapGuest::~TapGuest() {
  reader_.request_stop();
}

void TapGuest::read(const std::stop_token& stop) try {
  while (!stop.stop_requested()) {
    std::optional<VirtioFrame> frame = tap_.receive(milliseconds(50));
    if (!frame) continue;
    answer(frame->frame);
    std::lock_guard lock(mutex_);
    queue_.push_back(std::move(*frame));
    arrived_.notify_all();
  }
} catch (const std::exception& problem) {
  ADD_FAILURE() << "the reader of " << tap_.name() << " ends: " << problem.what();
}

void TapGuest::answer(const Bytes& frame) {
  if (frame.size() < 42) return;
  const std::uint8_t* raw = frame.data();
  if (raw[12] == 0x08 && raw[13] == 0x06) {
    std::string sender_mac = mac_text(raw + 22), sender = text(AF_INET, raw + 28);
    learn(sender, sender_mac);
    if (raw[21] != 1 || addresses_.ipv4.empty() || text(AF_INET, raw + 38) != addresses_.ipv4) return;
    tap_.send(Ethernet{.src = addresses_.mac, .dst = sender_mac} / Arp{.operation = 2,
                                                                       .sender_mac = addresses_.mac,
                                                                       .sender_ip = addresses_.ipv4,
                                                                       .target_mac = sender_mac,
                                                                       .target_ip = sender});
    return;
  }
  // An ICMPv6 solicitation or advertisement: target address at 62, perhaps one option at 78.
  if (raw[12] != 0x86 || raw[13] != 0xdd || frame.size() < 78 || raw[20] != IPPROTO_ICMPV6) return;
  std::string source = text(AF_INET6, raw + 22), target = text(AF_INET6, raw + 62);
  bool option = frame.size() >= 86;
  if (raw[54] == 136) learn(target, option && raw[78] == 2 ? mac_text(raw + 80) : mac_text(raw + 6));
  if (raw[54] != 135) return;
  if (source != "::" && option && raw[78] == 1) learn(source, mac_text(raw + 80));
  if (target != addresses_.ipv6) return;
  bool duplicate_check = source == "::";
  Bytes body = neighbor_target(target, 2, addresses_.mac).bytes;
  Packet reply =
      Ethernet{.src = addresses_.mac, .dst = duplicate_check ? "33:33:00:00:00:01" : mac_text(raw + 6)} /
      Ipv6{.src = target, .dst = duplicate_check ? "ff02::1" : source, .hop_limit = 255} /
      // Solicited and override, in the bytes that echoes use for the id.
      Icmpv6{.type = 136, .id = static_cast<std::uint16_t>(duplicate_check ? 0x2000 : 0x6000)} /
      Payload(std::move(body));
  tap_.send(reply);
}

void TapGuest::learn(const std::string& ip, const std::string& mac) {
  std::lock_guard lock(mutex_);
  neighbours_[ip] = mac;
  arrived_.notify_all();
}

void TapGuest::ask(const std::string& ip) const {
  if (!is_v6(ip)) {
    tap_.send(Ethernet{.src = addresses_.mac, .dst = "ff:ff:ff:ff:ff:ff"} /
              Arp{.sender_mac = addresses_.mac, .sender_ip = addresses_.ipv4, .target_ip = ip});
    return;
  }
  in6_addr target{};
  if (inet_pton(AF_INET6, ip.c_str(), &target) != 1) throw std::invalid_argument("no address: " + ip);
  const std::uint8_t* tail = target.s6_addr + 13;
  tap_.send(Ethernet{.src = addresses_.mac,
                     .dst = fmt::format("33:33:ff:{:02x}:{:02x}:{:02x}", tail[0], tail[1], tail[2])} /
            Ipv6{.src = addresses_.ipv6,
                 .dst = fmt::format("ff02::1:ff{:02x}:{:02x}{:02x}", tail[0], tail[1], tail[2]),
                 .hop_limit = 255} /
            Icmpv6{.type = 135} / neighbor_target(ip, 1, addresses_.mac));
}

std::string TapGuest::resolve(const std::string& ip, milliseconds limit) {
  auto deadline = std::chrono::steady_clock::now() + limit;
  std::unique_lock lock(mutex_);
  for (;;) {
    if (auto known = neighbours_.find(ip); known != neighbours_.end()) return known->second;
    if (std::chrono::steady_clock::now() > deadline) {
      throw std::runtime_error(fmt::format("{} does not answer {}", ip, tap_.name()));
    }
    lock.unlock();
    ask(ip);
    lock.lock();
    arrived_.wait_for(lock, milliseconds(200), [&] { return neighbours_.contains(ip); });
  }
}

Packet TapGuest::to(const std::string& ip) {
  bool v6 = is_v6(ip);
  bool near = ip.starts_with(v6 ? addresses_.on_link6 : addresses_.on_link4);
  std::string hop = near ? ip : v6 ? addresses_.gateway6 : addresses_.gateway4;
  Packet frame = Ethernet{.src = addresses_.mac, .dst = resolve(hop)};
  return v6 ? frame / Ipv6{.src = addresses_.ipv6, .dst = ip}
            : frame / Ipv4{.src = addresses_.ipv4, .dst = ip, .dont_fragment = true};
}

void TapGuest::send(const Packet& packet) {
  bool offload = tap_.options().vnet_hdr && tap_.options().offload;
  tap_.send(offload ? partial(packet) : plain(packet));
}

std::optional<VirtioFrame> TapGuest::receive(milliseconds limit) {
  std::unique_lock lock(mutex_);
  if (!arrived_.wait_for(lock, limit, [&] { return !queue_.empty(); })) return std::nullopt;
  VirtioFrame first = std::move(queue_.front());
  queue_.pop_front();
  return first;
}

std::optional<VirtioFrame> TapGuest::expect_frame(const FrameTest& test, milliseconds limit) {
  return first_match([this](auto left) { return receive(left); }, test, limit);
}

void TapGuest::expect_no_frame(const FrameTest& test, milliseconds window) {
  no_match([this](auto left) { return receive(left); }, test, window);
}

std::optional<TapConnection> connect(TapGuest& guest, const std::string& peer, std::uint16_t src_port,
                                     std::uint16_t dst_port) {
  TapConnection result{.peer = peer, .src_port = src_port, .dst_port = dst_port, .seq = 1000, .ack = 0};
  guest.send(guest.to(peer) / Tcp{.src_port = src_port,
                                  .dst_port = dst_port,
                                  .flags = "S",
                                  .seq = result.seq,
                                  .options = {2, 4, 0x05, 0xb4}});
  auto reply = guest.expect_frame([&](const VirtioFrame& frame) {
    Fields found = fields(frame.frame);
    return found.src == peer && found.src_port == dst_port && found.dst_port == src_port &&
           found.tcp_flags == "SA";
  });
  if (!reply) return std::nullopt;
  EXPECT_TRUE(is_sound(*reply));
  Fields found = fields(reply->frame);
  EXPECT_EQ(found.ack, result.seq + 1);
  result.seq += 1;
  result.ack = found.seq + 1;
  guest.send(
      guest.to(peer) /
      Tcp{.src_port = src_port, .dst_port = dst_port, .flags = "A", .seq = result.seq, .ack = result.ack});
  return result;
}

Packet segment(TapGuest& guest, const TapConnection& connection, const Payload& payload) {
  return guest.to(connection.peer) /
         Tcp{.src_port = connection.src_port,
             .dst_port = connection.dst_port,
             .flags = "PA",
             .seq = connection.seq,
             .ack = connection.ack} /
         payload;
}

}  // namespace vnet::test

// SPDX-License-Identifier: GPL-2.0-or-later
// A guest behind a tap that has addresses and answers for them (ARP, neighbour discovery), and nothing else
// of an IP stack: no resets and no acknowledgements that the test does not send.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "tests/support/tap.h"

namespace vnet::test {

struct GuestAddresses {
  std::string mac = "52:54:00:00:00:11";
  std::string ipv4, ipv6;  // empty: none of that family
  std::string gateway4 = "192.168.122.1", gateway6 = "fd00:122::1";
  std::string on_link4 = "192.168.122.",
              on_link6 = "fd00:122::";  // what starts so is reached without gateway
};

class TapGuest {
 public:
  TapGuest(const Namespace& host, const std::string& tap_name, GuestAddresses addresses,
           const TapOptions& options = {});
  ~TapGuest();
  TapGuest(const TapGuest&) = delete;
  TapGuest& operator=(const TapGuest&) = delete;

  Tap& tap() { return tap_; }
  const GuestAddresses& addresses() const { return addresses_; }

  // The MAC address of a neighbour, asked for until it answers. Throws std::runtime_error when it does not.
  // A bridge with STP takes four seconds until it forwards.
  std::string resolve(const std::string& ip, std::chrono::milliseconds limit = std::chrono::seconds(10));

  // Ethernet and IP from this guest to `ip`, to be composed with what it shall carry. Resolves the neighbour.
  Packet to(const std::string& ip);

  void send(const VirtioFrame& frame) { tap_.send(frame); }
  // As a guest with offloads sends it: the checksum unfinished. Without them: finished.
  void send(const Packet& tcp_or_udp);

  // What arrived, neighbour discovery included.
  std::optional<VirtioFrame> receive(std::chrono::milliseconds limit);
  std::optional<VirtioFrame> expect_frame(const FrameTest& test,
                                          std::chrono::milliseconds limit = std::chrono::seconds(3));
  void expect_no_frame(const FrameTest& test,
                       std::chrono::milliseconds window = std::chrono::milliseconds(300));

 private:
  void read(const std::stop_token& stop);
  void answer(const Bytes& frame);
  void learn(const std::string& ip, const std::string& mac);
  void ask(const std::string& ip) const;

  GuestAddresses addresses_;
  Tap tap_;
  std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<VirtioFrame> queue_;
  std::map<std::string, std::string> neighbours_;
  std::jthread reader_;  // the last member: nothing it uses may end before it
};

// A TCP connection of a tap guest, as far as it takes to have one: opened by the guest, data by hand.
struct TapConnection {
  std::string peer;
  std::uint16_t src_port = 0, dst_port = 0;
  std::uint32_t seq = 0, ack = 0;  // of the next segment
};

// The three-way handshake with a listener that is there. A test failure and nullopt when it does not answer.
std::optional<TapConnection> connect(TapGuest& guest, const std::string& peer, std::uint16_t src_port,
                                     std::uint16_t dst_port);
Packet segment(TapGuest& guest, const TapConnection& connection, const Payload& payload);

}  // namespace vnet::test

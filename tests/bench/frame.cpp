// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/frame.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "tests/bench/tools.h"

namespace vnet::bench {
namespace {

std::uint32_t add_words(const void* from, std::size_t bytes) {
  const auto* b = static_cast<const std::uint8_t*>(from);
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i + 1 < bytes; i += 2) sum += b[i] << 8 | b[i + 1];
  return sum;
}

std::uint16_t fold(std::uint32_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}

// Returns the sum over the addresses.
std::uint32_t put_ipv4(UdpFrame& frame, const std::string& source, const std::string& target) {
  frame.size = 60;
  frame.udp_at = ETH_HLEN + sizeof(iphdr);
  frame.bytes[12] = ETH_P_IP >> 8;
  frame.bytes[13] = ETH_P_IP & 0xff;
  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.tot_len = htons(frame.size - ETH_HLEN);
  ip.frag_off = htons(0x4000);
  ip.ttl = 64;
  ip.protocol = IPPROTO_UDP;
  if (inet_pton(AF_INET, source.c_str(), &ip.saddr) != 1 ||
      inet_pton(AF_INET, target.c_str(), &ip.daddr) != 1)
    throw std::runtime_error("not two IPv4 addresses: " + source + ", " + target);
  ip.check = htons(~fold(add_words(&ip, sizeof ip)));
  std::memcpy(frame.bytes.data() + ETH_HLEN, &ip, sizeof ip);
  return add_words(&ip.saddr, 8);
}

std::uint32_t put_ipv6(UdpFrame& frame, const std::string& source, const std::string& target) {
  frame.size = frame_bytes_max;
  frame.udp_at = ETH_HLEN + sizeof(ipv6hdr);
  frame.bytes[12] = ETH_P_IPV6 >> 8;
  frame.bytes[13] = ETH_P_IPV6 & 0xff;
  ipv6hdr ip{};
  ip.version = 6;
  ip.payload_len = htons(static_cast<std::uint16_t>(frame.size - frame.udp_at));
  ip.nexthdr = IPPROTO_UDP;
  ip.hop_limit = 64;
  if (inet_pton(AF_INET6, source.c_str(), &ip.saddr) != 1 ||
      inet_pton(AF_INET6, target.c_str(), &ip.daddr) != 1)
    throw std::runtime_error("not two IPv6 addresses: " + source + ", " + target);
  std::memcpy(frame.bytes.data() + ETH_HLEN, &ip, sizeof ip);
  return add_words(&ip.saddr, 32);
}

}  // namespace

UdpFrame udp_frame(const std::string& source_mac, const std::string& target_mac, const std::string& source,
                   const std::string& target) {
  UdpFrame frame;
  auto to = mac_bytes(target_mac), from = mac_bytes(source_mac);
  std::copy(to.begin(), to.end(), frame.bytes.begin());
  std::copy(from.begin(), from.end(), frame.bytes.begin() + ETH_ALEN);
  bool v6 = source.find(':') != std::string::npos;
  std::uint32_t addresses = v6 ? put_ipv6(frame, source, target) : put_ipv4(frame, source, target);
  unsigned udp_bytes = frame.size - frame.udp_at;
  udphdr udp{};
  udp.len = htons(static_cast<std::uint16_t>(udp_bytes));
  std::memcpy(frame.bytes.data() + frame.udp_at, &udp, sizeof udp);
  frame.sum = fold(addresses + IPPROTO_UDP + 2 * udp_bytes);
  return frame;
}

void UdpFrame::set_flow(unsigned flow) {
  std::uint16_t sport = first_sport + flow % sports;
  std::uint16_t dport = first_dport + flow / sports;
  udphdr udp;
  std::uint8_t* at = bytes.data() + udp_at;
  std::memcpy(&udp, at, sizeof udp);
  udp.source = htons(sport);
  udp.dest = htons(dport);
  udp.check = htons(~fold(sum + sport + dport));
  std::memcpy(at, &udp, sizeof udp);
}

}  // namespace vnet::bench

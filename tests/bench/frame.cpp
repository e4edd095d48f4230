// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/frame.h"

#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
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

}  // namespace

UdpFrame udp_frame(const std::string& source_mac, const std::string& target_mac, const std::string& source,
                   const std::string& target) {
  UdpFrame frame;
  std::uint8_t* bytes = frame.bytes.data();
  auto to = mac_bytes(target_mac), from = mac_bytes(source_mac);
  std::copy(to.begin(), to.end(), bytes);
  std::copy(from.begin(), from.end(), bytes + ETH_ALEN);
  bytes[12] = ETH_P_IP >> 8;
  iphdr ip{};
  ip.version = 4;
  ip.ihl = 5;
  ip.tot_len = htons(frame_bytes - ETH_HLEN);
  ip.frag_off = htons(0x4000);
  ip.ttl = 64;
  ip.protocol = IPPROTO_UDP;
  if (inet_pton(AF_INET, source.c_str(), &ip.saddr) != 1 ||
      inet_pton(AF_INET, target.c_str(), &ip.daddr) != 1) {
    throw std::runtime_error("not an IPv4 address: " + source + " or " + target);
  }
  ip.check = htons(~fold(add_words(&ip, sizeof ip)));
  std::memcpy(bytes + ETH_HLEN, &ip, sizeof ip);
  constexpr unsigned udp_bytes = frame_bytes - ETH_HLEN - sizeof(iphdr);
  udphdr udp{};
  udp.len = htons(udp_bytes);
  std::memcpy(bytes + ETH_HLEN + sizeof ip, &udp, sizeof udp);
  frame.sum = fold(add_words(&ip.saddr, 8) + IPPROTO_UDP + 2 * udp_bytes);
  return frame;
}

void UdpFrame::set_flow(unsigned flow) {
  std::uint16_t sport = first_sport + flow % sports;
  std::uint16_t dport = first_dport + flow / sports;
  udphdr udp;
  std::uint8_t* at = bytes.data() + ETH_HLEN + sizeof(iphdr);
  std::memcpy(&udp, at, sizeof udp);
  udp.source = htons(sport);
  udp.dest = htons(dport);
  udp.check = htons(~fold(sum + sport + dport));
  std::memcpy(at, &udp, sizeof udp);
}

}  // namespace vnet::bench

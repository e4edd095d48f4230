// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/oracle.h"

#include <fmt/format.h>

#include <span>
#include <utility>

namespace vnet::test {
namespace {

using View = std::span<const std::uint8_t>;

unsigned be16(View bytes, std::size_t at) {
  return bytes[at] * 256U + bytes[at + 1];
}

// Adds modulo 65535 word by word, carry included. A packet whose checksum is right adds up to 0xffff.
class Adder {
 public:
  Adder& words(View bytes) {
    for (; bytes.size() >= 2; bytes = bytes.subspan(2)) word(be16(bytes, 0));
    if (!bytes.empty()) word(bytes[0] * 256U);
    return *this;
  }
  Adder& word(unsigned value) {
    total_ += value;
    if (total_ > 0xffff) total_ -= 0xffff;
    return *this;
  }
  unsigned total() const { return total_; }

 private:
  unsigned total_ = 0;
};

class Inspector {
 public:
  explicit Inspector(L4Sum l4) : l4_(l4) {}

  std::vector<std::string> found;

  void frame(View bytes) {
    std::size_t length = bytes.size();
    if (length < 14) return complain("frame of {} bytes, shorter than an Ethernet header", length);
    unsigned type = be16(bytes, 12);
    bytes = bytes.subspan(14);
    while (type == 0x8100 || type == 0x88a8) {
      if (bytes.size() < 4) return complain("VLAN tag cut off");
      type = be16(bytes, 2);
      bytes = bytes.subspan(4);
    }
    may_pad_ = length <= 60;
    if (type == 0x0800) return ipv4(bytes);
    if (type == 0x86dd) return ipv6(bytes);
    if (type == 0x0806 && bytes.size() < 28) complain("ARP cut off at {} bytes", bytes.size());
  }

 private:
  template <typename... Args>
  void complain(fmt::format_string<Args...> format, Args&&... args) {
    found.push_back(where_ + fmt::format(format, std::forward<Args>(args)...));
  }

  // Bytes of the packet that `declared` says there are. Inside a quotation fewer may have been kept.
  bool take(View& bytes, std::size_t declared, const char* what) {
    complete_ = declared <= bytes.size();
    if (!complete_ && !quoted_) {
      complain("{} says {} bytes, {} are there", what, declared, bytes.size());
      return false;
    }
    if (declared < bytes.size() && !quoted_ && !may_pad_) {
      complain("{} bytes behind the end of {}", bytes.size() - declared, what);
    }
    if (complete_) bytes = bytes.first(declared);
    return true;
  }

  void ipv4(View bytes) {
    if (bytes.size() < 20) return complain("IPv4 header cut off at {} bytes", bytes.size());
    if (bytes[0] >> 4 != 4) complain("IPv4 version is {}", bytes[0] >> 4);
    std::size_t header = (bytes[0] & 0x0fU) * 4U;
    if (header < 20 || header > bytes.size()) return complain("IPv4 header length is {}", header);
    unsigned sum = Adder().words(bytes.first(header)).total();
    if (sum != 0xffff) complain("IPv4 header checksum {:#06x} is wrong", be16(bytes, 10));
    std::size_t total = be16(bytes, 2);
    if (total < header) return complain("IPv4 total length {} is less than its header", total);
    if (bytes[8] == 0) complain("IPv4 time to live is 0");
    if (!take(bytes, total, "IPv4")) return;
    unsigned fragment = be16(bytes, 6);
    if (fragment & 0x8000) complain("IPv4 reserved flag is set");
    if (fragment & 0x1fff) return;  // a later fragment: nothing of its L4 can be judged
    bool first_of_many = fragment & 0x2000;
    Adder pseudo;
    pseudo.words(bytes.subspan(12, 8)).word(bytes[9]);
    transport(bytes[9], bytes.subspan(header), pseudo, first_of_many, false);
  }

  void ipv6(View bytes) {
    if (bytes.size() < 40) return complain("IPv6 header cut off at {} bytes", bytes.size());
    if (bytes[0] >> 4 != 6) complain("IPv6 version is {}", bytes[0] >> 4);
    if (bytes[7] == 0) complain("IPv6 hop limit is 0");
    View addresses = bytes.subspan(8, 32);
    unsigned next = bytes[6];
    std::size_t payload = be16(bytes, 4);
    bytes = bytes.subspan(40);
    if (!take(bytes, payload, "IPv6")) return;
    bool first_of_many = false;
    while (next == 0 || next == 43 || next == 60 || next == 44) {
      if (bytes.size() < 8) return quoted_ ? void() : complain("IPv6 extension header {} cut off", next);
      std::size_t size = next == 44 ? 8 : (bytes[1] + 1U) * 8U;
      if (size > bytes.size()) return quoted_ ? void() : complain("IPv6 extension header {} too long", next);
      if (next == 44) {
        unsigned word = be16(bytes, 2);
        if ((word & 1) && bytes.size() % 8) complain("IPv6 fragment's size is not a multiple of 8");
        if (word & 0xfff8) return;
        first_of_many = word & 1;
      }
      next = bytes[0];
      bytes = bytes.subspan(size);
    }
    Adder pseudo;
    pseudo.words(addresses).word(next);
    transport(next, bytes, pseudo, first_of_many, true);
  }

  // `pseudo` lacks the length, which is that of `bytes`.
  void transport(unsigned protocol, View bytes, Adder pseudo, bool first_of_many, bool v6) {
    bool whole = complete_ && !first_of_many;
    pseudo.word(static_cast<unsigned>(bytes.size()));
    switch (protocol) {
      case 6:
        return tcp(bytes, pseudo, whole);
      case 17:
        return udp(bytes, pseudo, whole, v6);
      case 1:
        return v6 ? complain("ICMPv4 inside IPv6") : icmp(bytes, Adder(), whole, false);
      case 58:
        return v6 ? icmp(bytes, pseudo, whole, true) : complain("ICMPv6 inside IPv4");
      default:
        return;
    }
  }

  void tcp(View bytes, Adder pseudo, bool whole) {
    if (bytes.size() < 20) return whole ? complain("TCP header cut off at {} bytes", bytes.size()) : void();
    std::size_t header = (bytes[12] >> 4) * 4U;
    if (header < 20 || (whole && header > bytes.size())) complain("TCP header length is {}", header);
    if (whole) checksum("TCP", bytes, 16, pseudo);
  }

  void udp(View bytes, Adder pseudo, bool whole, bool v6) {
    if (bytes.size() < 8) return whole ? complain("UDP header cut off at {} bytes", bytes.size()) : void();
    unsigned length = be16(bytes, 4);
    if (whole && length != bytes.size())
      complain("UDP length is {}, {} bytes are there", length, bytes.size());
    if (be16(bytes, 6) == 0) {
      if (v6) complain("UDP over IPv6 without a checksum");
      return;
    }
    if (whole) checksum("UDP", bytes, 6, pseudo);
  }

  void checksum(const char* name, View bytes, std::size_t field, const Adder& pseudo) {
    unsigned there = be16(bytes, field);
    if (l4_ == L4Sum::Partial && !quoted_) {
      if (there != pseudo.total()) {
        complain("{} checksum {:#06x} is not the pseudo header's sum {:#06x}", name, there, pseudo.total());
      }
      return;
    }
    Adder all = pseudo;
    if (all.words(bytes).total() != 0xffff) complain("{} checksum {:#06x} is wrong", name, there);
  }

  void icmp(View bytes, Adder start, bool whole, bool v6) {
    const char* name = v6 ? "ICMPv6" : "ICMP";
    if (bytes.size() < 8) return whole ? complain("{} cut off at {} bytes", name, bytes.size()) : void();
    if (whole && start.words(bytes).total() != 0xffff) {
      complain("{} checksum {:#06x} is wrong", name, be16(bytes, 2));
    }
    unsigned type = bytes[0];
    bool error =
        v6 ? type >= 1 && type <= 4 : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    if (!error || first_of_error_is_fragment(whole)) return;
    if (quoted_) return complain("an {} error quotes an {} error", name, name);
    quoted_ = true;
    where_ = fmt::format("quoted in {}: ", name);
    v6 ? ipv6(bytes.subspan(8)) : ipv4(bytes.subspan(8));
  }

  bool first_of_error_is_fragment(bool whole) const { return !whole && !quoted_; }

  L4Sum l4_;
  std::string where_;
  bool quoted_ = false;   // inside an ICMP error
  bool complete_ = true;  // the IP packet at hand is all there
  bool may_pad_ = false;  // Ethernet fills frames up to 60 bytes
};

}  // namespace

std::vector<std::string> complaints(const std::vector<std::uint8_t>& frame, L4Sum l4) {
  Inspector inspector(l4);
  inspector.frame(frame);
  return inspector.found;
}

testing::AssertionResult is_sound(const std::vector<std::uint8_t>& frame, L4Sum l4) {
  std::vector<std::string> found = complaints(frame, l4);
  if (found.empty()) return testing::AssertionSuccess();
  testing::AssertionResult result = testing::AssertionFailure() << "the oracle complains:";
  for (const std::string& complaint : found) result << "\n  " << complaint;
  return result;
}

}  // namespace vnet::test

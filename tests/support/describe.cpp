// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/describe.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <span>
#include <utility>

#include "tests/support/oracle.h"

namespace vnet::test {
namespace {

using View = std::span<const std::uint8_t>;

unsigned word(View bytes, std::size_t at) {
  return bytes[at] * 256U + bytes[at + 1];
}
std::uint32_t dword(View bytes, std::size_t at) {
  return word(bytes, at) << 16 | word(bytes, at + 2);
}

std::string mac(View bytes) {
  return fmt::format("{:02x}", fmt::join(bytes.first(6), ":"));
}

std::string ip(int family, View bytes) {
  char text[INET6_ADDRSTRLEN];
  return inet_ntop(family, bytes.data(), text, sizeof text);
}

std::string flag_names(unsigned bits) {
  std::string out;
  for (unsigned i = 0; i < 8; ++i) {
    if (bits >> i & 1) out += "FSRPAUEC"[i];
  }
  return out.empty() ? "none" : out;
}

// Reads layer after layer; whatever is cut off or unknown is printed as bytes.
class Describer {
 public:
  std::vector<std::string> lines;

  void frame(View bytes) {
    if (bytes.size() < 14) return raw(bytes);
    unsigned type = word(bytes, 12);
    line("Ethernet {} > {} type {:#06x}", mac(bytes.subspan(6)), mac(bytes), type);
    bytes = bytes.subspan(14);
    while ((type == 0x8100 || type == 0x88a8) && bytes.size() >= 4) {
      line("Vlan {} priority {} type {:#06x}", word(bytes, 0) & 0xfff, bytes[0] >> 5, word(bytes, 2));
      type = word(bytes, 2);
      bytes = bytes.subspan(4);
    }
    if (type == 0x0800) return ipv4(bytes);
    if (type == 0x86dd) return ipv6(bytes);
    if (type == 0x0806 && bytes.size() >= 28) return arp(bytes);
    raw(bytes);
  }

 private:
  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    lines.push_back(indent_ + fmt::format(format, std::forward<Args>(args)...));
  }

  void raw(View bytes) {
    if (bytes.empty()) return;
    static constexpr std::size_t most = 64;
    line("Payload {} bytes: {:02x}{}", bytes.size(), fmt::join(bytes.first(std::min(most, bytes.size())), ""),
         bytes.size() > most ? "..." : "");
  }

  void arp(View bytes) {
    line("Arp {} sender {} {} target {} {}", word(bytes, 6), mac(bytes.subspan(8)),
         ip(AF_INET, bytes.subspan(14)), mac(bytes.subspan(18)), ip(AF_INET, bytes.subspan(24)));
    raw(bytes.subspan(28));
  }

  void ipv4(View bytes) {
    if (bytes.size() < 20) return raw(bytes);
    unsigned fragment = word(bytes, 6);
    std::size_t header = std::clamp<std::size_t>((bytes[0] & 15U) * 4U, 20, bytes.size());
    line("Ipv4 {} > {} ttl {} id {}{}{}{} tos {} length {} protocol {} checksum {:#06x}{}",
         ip(AF_INET, bytes.subspan(12)), ip(AF_INET, bytes.subspan(16)), bytes[8], word(bytes, 4),
         fragment & 0x4000 ? " DF" : "", fragment & 0x2000 ? " MF" : "",
         fragment & 0x1fff ? fmt::format(" offset {}", (fragment & 0x1fff) * 8) : "", bytes[1],
         word(bytes, 2), bytes[9], word(bytes, 10),
         header > 20 ? fmt::format(" options {:02x}", fmt::join(bytes.subspan(20, header - 20), "")) : "");
    transport(fragment & 0x1fff ? 255 : bytes[9], bytes.subspan(header));
  }

  void ipv6(View bytes) {
    if (bytes.size() < 40) return raw(bytes);
    line("Ipv6 {} > {} hop limit {} class {} label {:#x} length {} next header {}",
         ip(AF_INET6, bytes.subspan(8)), ip(AF_INET6, bytes.subspan(24)), bytes[7],
         (word(bytes, 0) >> 4) & 0xff, dword(bytes, 0) & 0xfffff, word(bytes, 4), bytes[6]);
    unsigned next = bytes[6];
    bytes = bytes.subspan(40);
    while ((next == 0 || next == 43 || next == 60 || next == 44) && bytes.size() >= 8) {
      bool fragment = next == 44;
      std::size_t size = fragment ? 8 : std::min<std::size_t>((bytes[1] + 1U) * 8U, bytes.size());
      next = bytes[0];
      if (fragment) {
        unsigned place = word(bytes, 2);
        line("Ipv6Fragment id {} offset {}{} next header {}", dword(bytes, 4), place & 0xfff8,
             place & 1 ? " more" : "", next);
        if (place & 0xfff8) next = 255;
      } else {
        line("Ipv6Extension next header {} {:02x}", next, fmt::join(bytes.subspan(2, size - 2), ""));
      }
      bytes = bytes.subspan(size);
    }
    transport(next, bytes);
  }

  void transport(unsigned protocol, View bytes) {
    if (protocol == 6 && bytes.size() >= 20) return tcp(bytes);
    if (protocol == 17 && bytes.size() >= 8) {
      line("Udp {} > {} length {} checksum {:#06x}", word(bytes, 0), word(bytes, 2), word(bytes, 4),
           word(bytes, 6));
      return raw(bytes.subspan(8));
    }
    if (protocol == 1 && bytes.size() >= 8) return icmp("Icmp", bytes, false);
    if (protocol == 58 && bytes.size() >= 8) return icmp("Icmpv6", bytes, true);
    raw(bytes);
  }

  void tcp(View bytes) {
    std::size_t header = std::clamp<std::size_t>((bytes[12] >> 4) * 4U, 20, bytes.size());
    line("Tcp {} > {} {} seq {} ack {} window {} checksum {:#06x}{}", word(bytes, 0), word(bytes, 2),
         flag_names(bytes[13]), dword(bytes, 4), dword(bytes, 8), word(bytes, 14), word(bytes, 16),
         header > 20 ? fmt::format(" options {:02x}", fmt::join(bytes.subspan(20, header - 20), "")) : "");
    raw(bytes.subspan(header));
  }

  void icmp(const char* name, View bytes, bool v6) {
    unsigned type = bytes[0];
    line("{} type {} code {} id {} seq {} checksum {:#06x}", name, type, bytes[1], word(bytes, 4),
         word(bytes, 6), word(bytes, 2));
    bool error =
        v6 ? type >= 1 && type <= 4 : type == 3 || type == 4 || type == 5 || type == 11 || type == 12;
    if (!error || bytes.size() == 8) return raw(bytes.subspan(8));
    indent_ += "  quoted ";
    v6 ? ipv6(bytes.subspan(8)) : ipv4(bytes.subspan(8));
  }

  std::string indent_;
};

}  // namespace

std::vector<std::string> describe_layers(const Bytes& frame) {
  Describer describer;
  describer.frame(frame);
  return describer.lines;
}

std::string describe(const Bytes& frame) {
  return fmt::format("{}\n", fmt::join(describe_layers(frame), "\n"));
}

testing::AssertionResult compare_packets(const char* expected_text, const char* actual_text,
                                         const Bytes& expected, const Bytes& actual) {
  if (expected == actual) return testing::AssertionSuccess();
  testing::AssertionResult result = testing::AssertionFailure();
  result << actual_text << " (+) is not " << expected_text << " (-)";
  std::vector<std::string> want = describe_layers(expected);
  std::vector<std::string> have = describe_layers(actual);
  for (std::size_t i = 0; i < std::max(want.size(), have.size()); ++i) {
    if (i < want.size() && i < have.size() && want[i] == have[i]) {
      result << "\n    " << want[i];
      continue;
    }
    if (i < want.size()) result << "\n  - " << want[i];
    if (i < have.size()) result << "\n  + " << have[i];
  }
  auto [first, other] = std::mismatch(expected.begin(), expected.end(), actual.begin(), actual.end());
  result << fmt::format("\n  first difference at byte {}; {} bytes expected, {} there",
                        first - expected.begin(), expected.size(), actual.size());
  for (const std::string& complaint : complaints(actual)) result << "\n  oracle: " << complaint;
  return result;
}

}  // namespace vnet::test

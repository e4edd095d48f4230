// SPDX-License-Identifier: GPL-2.0-or-later
// The words of `explain` as a question.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "cli/options.h"

namespace vnet::cli {
namespace {

struct Target {
  Address address;
  std::optional<std::uint16_t> port;
};

// ADDR, ADDR:PORT, [ADDR]:PORT
Result<Target> parse_target(const char* option, const std::string& text) {
  auto wrong = [&] {
    return invalid(
        fmt::format("{}: '{}' is not ADDR[:PORT] (as 192.0.2.1:80 or [2001:db8::1]:80)", option, text));
  };
  std::string address = text, port;
  if (text.starts_with("[")) {
    auto end = text.find(']');
    if (end == std::string::npos) return wrong();
    address = text.substr(1, end - 1);
    if (end + 1 < text.size()) {
      if (text[end + 1] != ':' || end + 2 == text.size()) return wrong();
      port = text.substr(end + 2);
    }
  } else if (std::ranges::count(text, ':') == 1) {
    address = text.substr(0, text.find(':'));
    port = text.substr(text.find(':') + 1);
    if (port.empty()) return wrong();
  }
  auto parsed = Address::parse(address);
  if (!parsed) return wrong();
  Target target{*parsed, std::nullopt};
  if (port.empty()) return target;
  std::uint16_t number = 0;
  auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size()) return wrong();
  target.port = number;
  return target;
}

}  // namespace

Result<Question> to_question(const QuestionWords& words) {
  Question question{.interface = words.port, .protocol = words.proto};
  if (!words.proto.empty() && words.proto != "tcp" && words.proto != "udp" && words.proto != "icmp")
    return invalid(fmt::format("--proto: '{}' is not one of tcp, udp, icmp", words.proto));
  VNET_ASSIGN(auto to, parse_target("--to", words.to));
  question.to = to.address;
  question.to_port = to.port;
  if (words.proto == "icmp" && to.port) return invalid("--to: icmp has no ports");
  if ((words.proto == "tcp" || words.proto == "udp") && !to.port)
    return invalid(
        fmt::format("--to: {} needs a port, as in {}", words.proto, Endpoint{to.address, 80}.text(true)));
  if (words.from.empty()) return question;
  VNET_ASSIGN(auto from, parse_target("--from", words.from));
  question.from = from.address;
  question.from_port = from.port;
  if (from.address.family != to.address.family) return invalid("--from and --to are not of the same family");
  return question;
}

}  // namespace vnet::cli

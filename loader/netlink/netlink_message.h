// SPDX-License-Identifier: GPL-2.0-or-later
// Inside the Netlink class only: building requests, reading answers.
#pragma once

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/model/address.h"

namespace vnet::netlink {

inline int to_af(Family family) {
  return family == Family::V4 ? AF_INET : AF_INET6;
}

// A request: its family header, then attributes.
class Message {
 public:
  template <typename Header>
  Message(int type, int flags, const Header& header) : message_(nlmsg_alloc_size(4096)) {
    nlmsg_put(message_.get(), NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags | NLM_F_REQUEST);
    nlmsg_append(message_.get(), const_cast<Header*>(&header), sizeof(header), NLMSG_ALIGNTO);
  }

  void put_u8(int type, std::uint8_t value) { nla_put_u8(message_.get(), type, value); }
  void put_u16(int type, std::uint16_t value) { nla_put_u16(message_.get(), type, value); }
  void put_u32(int type, std::uint32_t value) { nla_put_u32(message_.get(), type, value); }
  void put_string(int type, const std::string& value) { nla_put_string(message_.get(), type, value.c_str()); }
  void put_mac(int type, const Mac& mac) {
    nla_put(message_.get(), type, static_cast<int>(mac.bytes.size()), mac.bytes.data());
  }
  void put_address(int type, const Address& address) {
    nla_put(message_.get(), type, static_cast<int>(address.bits() / 8), address.bytes.data());
  }
  void put_data(int type, const void* data, int size) { nla_put(message_.get(), type, size, data); }

  // The attributes that `fill` puts are inside one of this type.
  template <typename Fill>
  void nest(int type, Fill fill) {
    nlattr* start = nla_nest_start(message_.get(), type | NLA_F_NESTED);
    fill();
    nla_nest_end(message_.get(), start);
  }

  nl_msg* get() { return message_.get(); }

 private:
  struct Free {
    void operator()(nl_msg* message) const { nlmsg_free(message); }
  };
  std::unique_ptr<nl_msg, Free> message_;
};

// The attributes of a message or of a nest, by type; those above Max are unknown to us and left out.
template <int Max>
class Attributes {
 public:
  Attributes(nlmsghdr* header, int family_header_size) {
    nla_parse(all_.data(), Max, nlmsg_attrdata(header, family_header_size),
              nlmsg_attrlen(header, family_header_size), nullptr);
  }
  Attributes(nlattr* first, int length) { nla_parse(all_.data(), Max, first, length, nullptr); }
  explicit Attributes(const nlattr* nest) : Attributes(static_cast<nlattr*>(nla_data(nest)), nla_len(nest)) {}

  const nlattr* operator[](int type) const { return all_[static_cast<std::size_t>(type)]; }
  std::uint32_t u8(int type) const { return number<std::uint8_t>(type); }
  std::uint32_t u16(int type) const { return number<std::uint16_t>(type); }
  std::uint32_t u32(int type) const { return number<std::uint32_t>(type); }
  std::string string(int type) const {
    const nlattr* attribute = (*this)[type];
    if (!attribute) return {};
    auto* text = static_cast<const char*>(nla_data(attribute));
    return {text, strnlen(text, static_cast<std::size_t>(nla_len(attribute)))};
  }
  std::optional<Mac> mac(int type) const {
    const nlattr* attribute = (*this)[type];
    Mac mac;
    if (!attribute || nla_len(attribute) != static_cast<int>(mac.bytes.size())) return std::nullopt;
    std::memcpy(mac.bytes.data(), nla_data(attribute), mac.bytes.size());
    return mac;
  }
  // The family follows from the length.
  std::optional<Address> address(int type) const {
    const nlattr* attribute = (*this)[type];
    if (!attribute) return std::nullopt;
    int size = nla_len(attribute);
    if (size != 4 && size != 16) return std::nullopt;
    Address address;
    address.family = size == 4 ? Family::V4 : Family::V6;
    std::memcpy(address.bytes.data(), nla_data(attribute), static_cast<std::size_t>(size));
    return address;
  }

 private:
  template <typename T>
  std::uint32_t number(int type) const {
    const nlattr* attribute = (*this)[type];
    T value{};
    if (attribute && nla_len(attribute) >= static_cast<int>(sizeof(T)))
      std::memcpy(&value, nla_data(attribute), sizeof(T));
    return value;
  }
  std::array<nlattr*, Max + 1> all_{};
};

// The kernel's answer: 0 or an errno, with its own explanation where it gives one.
struct Answer {
  int error = 0;
  std::string explanation;

  bool ok() const { return error == 0; }
  Result<void> result(const std::string& action) const;  // "action: File exists (explanation)"
};

using OnMessage = std::function<void(nlmsghdr*)>;

// Sends, and reads until the kernel has acknowledged or refused.
Answer exchange(nl_sock* socket, Message& message, const OnMessage& on_message = {});

// The same for a dump (NLM_F_DUMP in the message). One that changes under the kernel's hands is read again
// from the start: `restart` forgets what on_message has collected.
Answer dump(nl_sock* socket, Message& message, const OnMessage& on_message,
            const std::function<void()>& restart);

// A dump collected into a vector; parse returns an optional (nullopt: not of interest).
template <typename T, typename Parse>
Answer collect(nl_sock* socket, Message& message, std::vector<T>& into, Parse parse) {
  const std::size_t before = into.size();
  return dump(
      socket, message,
      [&](nlmsghdr* header) {
        if (std::optional<T> item = parse(header)) into.push_back(std::move(*item));
      },
      [&] { into.resize(before); });
}

// The link's name for a message; "interface 7" when there is none of that ifindex.
std::string link_name(nl_sock* socket, int ifindex);

}  // namespace vnet::netlink

// SPDX-License-Identifier: GPL-2.0-or-later
// The format: draft-ietf-opsawg-pcapng. Numbers are in the writer's byte order, blocks and options padded to
// four bytes.
#include "loader/observe/pcapng.h"

#include <algorithm>
#include <limits>

namespace vnet {
namespace {

enum BlockType : std::uint32_t {
  InterfaceDescription = 1,
  EnhancedPacket = 6,
  SectionHeader = 0x0a0d0d0a,
};
enum Option : std::uint16_t {
  EndOfOptions = 0,
  Comment = 1,
  InterfaceName = 2,
  TimestampResolution = 9,
  Application = 4,  // of the section
};
enum LinkType : std::uint16_t { LinkEthernet = 1, LinkRawIp = 101 };

template <typename Number>
void put(std::string& to, Number number) {
  to.append(reinterpret_cast<const char*>(&number), sizeof(number));
}

void pad(std::string& to) {
  to.append((4 - to.size() % 4) % 4, '\0');
}

void put_option(std::string& to, std::uint16_t code, std::string_view value) {
  value = value.substr(0, std::numeric_limits<std::uint16_t>::max());
  put(to, code);
  put(to, static_cast<std::uint16_t>(value.size()));
  to.append(value);
  pad(to);
}

void end_options(std::string& to) {
  put_option(to, EndOfOptions, {});
}

}  // namespace

Result<PcapngWriter> PcapngWriter::open(const std::string& path) {
  std::FILE* file = path == "-" ? stdout : std::fopen(path.c_str(), "wbe");
  if (!file) return system_error("opening " + path);
  PcapngWriter writer(path, file);
  std::string header;
  put(header, std::uint32_t{0x1a2b3c4d});  // tells the byte order
  put(header, std::uint16_t{1});           // version 1.0
  put(header, std::uint16_t{0});
  put(header, std::int64_t{-1});  // the section's length: until the end of the file
  put_option(header, Application, "vnet-bpf");
  end_options(header);
  VNET_TRY(writer.write_block(SectionHeader, header));
  VNET_TRY(writer.flush());
  return writer;
}

Result<void> PcapngWriter::write_block(std::uint32_t type, const std::string& body) {
  std::string block;
  auto size = static_cast<std::uint32_t>(body.size() + 12);
  put(block, type);
  put(block, size);
  block += body;
  put(block, size);
  if (std::fwrite(block.data(), block.size(), 1, file_.get()) != 1) return system_error("writing " + path_);
  return {};
}

Result<std::uint32_t> PcapngWriter::interface_number(const PcapPacket& packet) {
  auto [entry, is_new] = interfaces_.try_emplace({packet.interface, packet.ethernet},
                                                 static_cast<std::uint32_t>(interfaces_.size()));
  if (is_new) {
    std::string body;
    put(body, static_cast<std::uint16_t>(packet.ethernet ? LinkEthernet : LinkRawIp));
    put(body, std::uint16_t{0});
    put(body, std::uint32_t{0});  // no limit on a packet's bytes
    put_option(body, InterfaceName, packet.interface);
    put_option(body, TimestampResolution, "\x09");  // nanoseconds
    end_options(body);
    VNET_TRY(write_block(InterfaceDescription, body));
  }
  return entry->second;
}

Result<void> PcapngWriter::write(const PcapPacket& packet) {
  VNET_ASSIGN(auto number, interface_number(packet));
  std::string body;
  put(body, number);
  put(body, static_cast<std::uint32_t>(packet.time_ns >> 32));
  put(body, static_cast<std::uint32_t>(packet.time_ns));
  put(body, static_cast<std::uint32_t>(packet.bytes.size()));
  put(body, std::max(packet.length, static_cast<std::uint32_t>(packet.bytes.size())));
  body.append(reinterpret_cast<const char*>(packet.bytes.data()), packet.bytes.size());
  pad(body);
  put_option(body, Comment, packet.comment);
  end_options(body);
  return write_block(EnhancedPacket, body);
}

Result<void> PcapngWriter::flush() {
  if (std::fflush(file_.get())) return system_error("writing " + path_);
  return {};
}

}  // namespace vnet

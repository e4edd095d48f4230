// SPDX-License-Identifier: GPL-2.0-or-later
// A pcapng file, which Wireshark, tshark and tcpdump read: one section, an interface block for each
// interface when its first packet comes, and packets with a comment.
#pragma once

#include <cstdint>
#include <cstdio>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "loader/base/error.h"

namespace vnet {

struct PcapPacket {
  std::string interface;
  bool ethernet = true;       // else the bytes begin with the IP header
  std::uint64_t time_ns = 0;  // since the epoch
  std::uint32_t length = 0;   // of the whole packet; the bytes may be fewer
  std::span<const std::uint8_t> bytes;
  std::string comment;
};

class PcapngWriter {
 public:
  static Result<PcapngWriter> open(const std::string& path);  // "-": standard output
  Result<void> write(const PcapPacket& packet);
  Result<void> flush();

 private:
  struct Close {
    void operator()(std::FILE* file) const {
      if (file != stdout) std::fclose(file);
    }
  };
  PcapngWriter(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  Result<void> write_block(std::uint32_t type, const std::string& body);
  Result<std::uint32_t> interface_number(const PcapPacket& packet);

  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::map<std::pair<std::string, bool>, std::uint32_t> interfaces_;
};

}  // namespace vnet

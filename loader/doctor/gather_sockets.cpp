// SPDX-License-Identifier: GPL-2.0-or-later
// Who listens where a network's dnsmasq wants to: from this network namespace's /proc/self/net, and whose
// they are from the processes' descriptors.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "loader/base/files.h"
#include "loader/doctor/facts.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

constexpr std::uint16_t of_interest[] = {53, 67};

struct Found {
  SocketFacts socket;
  std::string inode;
};

// "0100007F:0035": each 32-bit word as the machine has it in memory.
std::optional<std::pair<Address, std::uint16_t>> parse_endpoint(const std::string& text) {
  auto colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  Address address{.family = colon == 8 ? Family::V4 : Family::V6};
  for (std::size_t word = 0; word < colon / 8; ++word) {
    std::uint32_t value = 0;
    std::from_chars(text.data() + word * 8, text.data() + word * 8 + 8, value, 16);
    std::memcpy(address.bytes.data() + word * 4, &value, sizeof(value));
  }
  std::uint16_t port = 0;
  std::from_chars(text.data() + colon + 1, text.data() + text.size(), port, 16);
  return std::pair{address, port};
}

void read_table(const char* file, const char* protocol, std::vector<Found>& into) {
  auto text = read_file(std::string("/proc/self/net/") + file);
  if (!text || !*text) return;
  std::istringstream lines(**text);
  std::string line;
  std::getline(lines, line);  // the heading
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string number, local, remote, state, queues, timer, retransmit, uid, timeout, inode;
    fields >> number >> local >> remote >> state >> queues >> timer >> retransmit >> uid >> timeout >> inode;
    constexpr const char* listening = "0A";
    if (std::strcmp(protocol, "tcp") == 0 && state != listening) continue;
    auto endpoint = parse_endpoint(local);
    if (!endpoint || std::ranges::find(of_interest, endpoint->second) == std::end(of_interest)) continue;
    into.push_back({{.protocol = protocol, .address = endpoint->first, .port = endpoint->second}, inode});
  }
}

std::string first_line(const std::string& path) {
  auto text = read_file(path);
  return text && *text ? (*text)->substr(0, (*text)->find('\n')) : "";
}

// "0::/system.slice/named.service" -> "named.service"
std::string unit_of(const std::string& pid) {
  std::string cgroup = first_line("/proc/" + pid + "/cgroup");
  std::string last = cgroup.substr(cgroup.rfind('/') + 1);
  return last.ends_with(".service") ? last : "";
}

void name_owners(std::vector<Found>& sockets) {
  std::error_code error;
  for (const auto& process : fs::directory_iterator("/proc", error)) {
    std::string pid = process.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    for (const auto& descriptor : fs::directory_iterator(process.path() / "fd", error)) {
      std::string target = fs::read_symlink(descriptor.path(), error).string();
      if (!target.starts_with("socket:[")) continue;
      for (auto& [socket, inode] : sockets) {
        if (target != "socket:[" + inode + "]" || socket.pid) continue;
        std::from_chars(pid.data(), pid.data() + pid.size(), socket.pid);
        socket.process = first_line("/proc/" + pid + "/comm");
        socket.unit = unit_of(pid);
      }
    }
  }
}

}  // namespace

std::vector<SocketFacts> gather_sockets() {
  std::vector<Found> found;
  for (const char* file : {"udp", "udp6"}) read_table(file, "udp", found);
  for (const char* file : {"tcp", "tcp6"}) read_table(file, "tcp", found);
  if (!found.empty()) name_owners(found);
  std::vector<SocketFacts> sockets;
  for (auto& one : found) sockets.push_back(std::move(one.socket));
  return sockets;
}

}  // namespace vnet

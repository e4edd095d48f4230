// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/os/sysctl.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "loader/base/fd.h"
#include "loader/base/files.h"

namespace vnet {

SysctlKey::SysctlKey(std::string_view dotted) {
  for (std::size_t start = 0; start <= dotted.size();) {
    std::size_t end = std::min(dotted.find('.', start), dotted.size());
    parts_.emplace_back(dotted.substr(start, end - start));
    start = end + 1;
  }
}

std::string SysctlKey::name() const {
  std::string text;
  for (const std::string& part : parts_) text += (text.empty() ? "" : ".") + part;
  return text;
}

Result<std::string> SysctlKey::path() const {
  std::string path = "/proc/sys";
  for (const std::string& part : parts_) {
    if (part.empty() || part == "." || part == ".." || part.find('/') != std::string::npos)
      return invalid("'" + name() + "' is not the name of a sysctl");
    path += "/" + part;
  }
  return path;
}

Result<std::optional<std::string>> read_sysctl(const SysctlKey& key) {
  VNET_ASSIGN(std::string path, key.path());
  VNET_ASSIGN(std::optional<std::string> value, read_file(path));
  if (value)
    while (value->ends_with('\n')) value->pop_back();
  return value;
}

Result<void> write_sysctl(const SysctlKey& key, const std::string& value) {
  VNET_ASSIGN(std::string path, key.path());
  const std::string action = "setting " + key.name() + " to " + value;
  Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!fd && (errno == ENOENT || errno == ENOTDIR)) return not_found("no such sysctl: " + key.name());
  if (!fd) return system_error(action);
  // In one write: the kernel takes each write as a value of its own.
  if (::write(fd.get(), value.data(), value.size()) < 0) return system_error(action);
  return {};
}

Result<PortRange> ephemeral_port_range() {
  VNET_ASSIGN(auto text, read_sysctl("net.ipv4.ip_local_port_range"));
  if (!text) return not_found("no such sysctl: net.ipv4.ip_local_port_range");
  PortRange range;
  const char* end = text->data() + text->size();
  auto [middle, error] = std::from_chars(text->data(), end, range.start);
  while (middle != end && (*middle == '\t' || *middle == ' ')) ++middle;
  auto [rest, error2] = std::from_chars(middle, end, range.end);
  if (error != std::errc() || error2 != std::errc() || range.start > range.end)
    return failed("net.ipv4.ip_local_port_range is not a range: " + *text);
  return range;
}

}  // namespace vnet

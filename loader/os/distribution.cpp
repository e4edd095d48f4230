// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/os/distribution.h"

#include <algorithm>
#include <sstream>

#include "loader/base/files.h"

namespace vnet {
namespace {

#if defined(__x86_64__)
#define VNET_DEBIAN_ARCH "amd64"
#elif defined(__aarch64__)
#define VNET_DEBIAN_ARCH "arm64"
#else
#define VNET_DEBIAN_ARCH "$(dpkg --print-architecture)"
#endif

// The first row that is the distribution itself, or else one that it is like.
struct PackageNames {
  std::string_view id, dnsmasq, kernel;
};
constexpr PackageNames distributions[] = {
    {"ubuntu", "apt install dnsmasq-base", "apt install linux-image-generic"},
    {"debian", "apt install dnsmasq-base", "apt install linux-image-" VNET_DEBIAN_ARCH},
    {"fedora", "dnf install dnsmasq", "dnf upgrade kernel"},
    {"rhel", "dnf install dnsmasq", "dnf upgrade kernel"},
    {"suse", "zypper install dnsmasq", "zypper update kernel-default"},
    {"arch", "pacman -S dnsmasq", "pacman -S linux"},
};
constexpr PackageNames unknown_distribution = {"", "# install dnsmasq with the system's package manager",
                                               "# install a newer kernel with the system's package manager"};

bool has_word(const std::string& words, std::string_view wanted) {
  std::istringstream stream(words);
  for (std::string word; stream >> word;)
    if (word == wanted) return true;
  return false;
}

const PackageNames& names_of_packages(const Distribution& distribution) {
  for (const auto* words : {&distribution.id, &distribution.like})
    for (const auto& row : distributions)
      if (has_word(*words, row.id)) return row;
  return unknown_distribution;
}

}  // namespace

std::string Distribution::install_dnsmasq() const {
  return std::string(names_of_packages(*this).dnsmasq);
}

std::string Distribution::install_kernel() const {
  const PackageNames& names = names_of_packages(*this);
  if (names.kernel.starts_with("#")) return std::string(names.kernel);
  std::string command(names.kernel);
  // Debian 12 has newer kernels beside its own.
  if (id == "debian" && codename == "bookworm")
    command.insert(command.find("install") + 7, " -t bookworm-backports");
  return command + " && reboot";
}

Distribution parse_os_release(std::string_view text) {
  Distribution found;
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    auto equals = line.find('=');
    if (equals == std::string::npos) continue;
    std::string value = line.substr(equals + 1);
    std::erase_if(value, [](char c) { return c == '"' || c == '\''; });
    const std::string name = line.substr(0, equals);
    if (name == "ID") found.id = value;
    if (name == "ID_LIKE") found.like = value;
    if (name == "VERSION_CODENAME") found.codename = value;
  }
  return found;
}

Distribution this_distribution() {
  for (const char* path : {"/etc/os-release", "/usr/lib/os-release"}) {
    auto text = read_file(path);
    if (text && *text) return parse_os_release(**text);
  }
  return {};
}

}  // namespace vnet

// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/playground.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/mount.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace vnet::test {

namespace fs = std::filesystem;

Playground::Playground() {
  try {
    set_up();
  } catch (...) {
    take_down();  // a constructor that throws gets no destructor
    throw;
  }
}

void Playground::set_up() {
  std::string pattern = fs::temp_directory_path() / "vt-state-XXXXXX";
  if (!mkdtemp(pattern.data())) throw std::system_error(errno, std::generic_category(), "mkdtemp");
  state_dir_ = pattern;
  // mkdtemp's 0700 would keep out dnsmasq, which gives up root.
  fs::permissions(state_dir_, fs::perms::others_exec | fs::perms::others_read, fs::perm_options::add);
  fs::create_directory(state_dir_ / "bpf");
  fs::create_directory(state_dir_ / "playground");
  // Here and not by a command: `ip netns exec` gives each command mounts of its own.
  if (mount("bpf", (state_dir_ / "bpf").c_str(), "bpf", 0, nullptr) != 0) {
    throw std::system_error(errno, std::generic_category(), "mounting a bpffs");
  }
  mounted_ = true;
  host_ = std::make_unique<Namespace>();
  outside_ = std::make_unique<Namespace>();
  host_->must(
      fmt::format("ip link add eth0 type veth peer name eth0 netns {}\n"
                  "ip link set eth0 up\n"
                  "ip addr add 203.0.113.2/24 dev eth0\n"
                  "ip addr add 2001:db8:113::2/64 dev eth0 nodad\n",
                  outside_->name()));
  outside_->must(
      "ip link set eth0 up\n"
      "ip addr add 203.0.113.1/24 dev eth0\n"
      "ip addr add 2001:db8:113::1/64 dev eth0 nodad\n"
      "ip addr add 198.51.100.1/32 dev lo\n"
      "ip addr add 2001:db8:51::1/128 dev lo\n");
  host_->must(
      "ip route add default via 203.0.113.1\n"
      "ip -6 route add default via 2001:db8:113::1\n");
}

Playground::~Playground() {
  take_down();
}

void Playground::take_down() {
  guests_.clear();
  outside_.reset();
  host_.reset();
  if (mounted_) umount2((state_dir_ / "bpf").c_str(), MNT_DETACH);
  mounted_ = false;
  std::error_code ignored;
  if (!state_dir_.empty()) fs::remove_all(state_dir_, ignored);
}

Namespace& Playground::add_guest(const std::string& name) {
  auto guest = std::make_unique<Namespace>();
  host_->must(
      fmt::format("ip link add {0} type veth peer name eth0 netns {1}\n"
                  "ip link set {0} up\n",
                  name, guest->name()));
  guest->must("ip link set eth0 up");
  return *(guests_[name] = std::move(guest));
}

fs::path Playground::write_script(const std::string& name, const std::string& text) const {
  fs::path path = file(name);
  std::ofstream(path) << text;
  fs::permissions(path, fs::perms::owner_all);
  return path;
}

Output Playground::udhcpc(const std::string& guest_name) {
  fs::path script = write_script(guest_name + ".udhcpc",
                                 fmt::format("#!/bin/sh\n"
                                             "case $1 in bound|renew) ;; *) exit 0 ;; esac\n"
                                             "ip addr flush dev $interface scope global\n"
                                             "ip addr add $ip/$mask dev $interface\n"
                                             "for r in $router; do ip route replace default via $r; done\n"
                                             "for d in $dns; do echo nameserver $d; done > {}\n",
                                             file(guest_name + ".resolv").string()));
  return guest(guest_name)
      .exec({"busybox", "udhcpc", "-f", "-i", "eth0", "-n", "-q", "-t", "5", "-T", "1", "-s", script});
}

Output Playground::dhclient(const std::string& guest_name) {
  fs::path script =
      write_script(guest_name + ".dhclient",
                   fmt::format("#!/bin/sh\n"
                               "case $reason in BOUND|RENEW|REBIND|REBOOT) ;; *) exit 0 ;; esac\n"
                               "ip addr flush dev $interface scope global\n"
                               "ip addr add $new_ip_address/$new_subnet_mask dev $interface\n"
                               "for r in $new_routers; do ip route replace default via $r; done\n"
                               "for d in $new_domain_name_servers; do echo nameserver $d; done > {}\n",
                               file(guest_name + ".resolv").string()));
  // Own script, leases, pid file and mounts: dhclient's stock script would rewrite the machine's resolv.conf.
  return guest(guest_name)
      .exec({"unshare", "-m", "dhclient", "-1", "-v", "-cf", "/dev/null", "-sf", script, "-lf",
             file(guest_name + ".leases"), "-pf", file(guest_name + ".pid"), "eth0"});
}

std::string Playground::resolv(const std::string& guest_name) const {
  std::ostringstream text;
  text << std::ifstream(file(guest_name + ".resolv")).rdbuf();
  return text.str();
}

std::string Playground::program() {
  const char* other = std::getenv("VNET_BPF_PROGRAM");
  return other && *other ? other : VNET_PROGRAM;
}

Output Playground::vnet(const Argv& arguments) {
  Argv words = {"env", "VNET_BPF_STATE_DIR=" + state_dir_.string(), program()};
  words.insert(words.end(), arguments.begin(), arguments.end());
  return host_->exec(words);
}

nlohmann::json Playground::vnet_json(Argv arguments) {
  arguments.push_back("--json");
  Output ran = vnet(arguments);
  if (!ran.ok()) throw std::runtime_error(fmt::format("vnet-bpf exits with {}: {}", ran.status, ran.err));
  return nlohmann::json::parse(ran.out);
}

}  // namespace vnet::test

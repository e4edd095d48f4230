// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/frr.h"

#include <fmt/format.h>
#include <pwd.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace vnet::test {

namespace fs = std::filesystem;

bool Frr::is_installed() {
  return fs::exists("/usr/lib/frr/bgpd") && getpwnam("frr");
}

Frr::Frr(Namespace& in, fs::path folder, const std::string& config) : in_(&in), folder_(std::move(folder)) {
  fs::create_directories(folder_);
  const passwd* user = getpwnam("frr");
  if (!user || ::chown(folder_.c_str(), user->pw_uid, user->pw_gid) < 0)
    throw std::runtime_error("giving " + folder_.string() + " to FRR");
  for (const char* daemon : {"zebra", "staticd", "bfdd", "bgpd"}) {
    std::ofstream(folder_ / (std::string(daemon) + ".conf")) << (daemon == std::string("bgpd") ? config : "");
    start(daemon);
  }
}

// The daemons first: what they say to each other at their end is of no use.
Frr::~Frr() {
  running_.clear();
}

void Frr::start(const std::string& daemon) {
  const auto path = [&](const std::string& name) { return (folder_ / name).string(); };
  Argv argv = {"/usr/lib/frr/" + daemon,
               "-u",
               "frr",
               "-g",
               "frr",
               "-P",
               "0",
               "-f",
               path(daemon + ".conf"),
               "-i",
               path(daemon + ".pid"),
               "-z",
               path("zserv.api"),
               "--vty_socket",
               folder_.string(),
               "--log",
               "file:" + path(daemon + ".log")};
  if (daemon == "bfdd") argv.insert(argv.end(), {"--bfdctl", path("bfdd.sock")});
  if (daemon == "bgpd") argv.insert(argv.end(), {"-p", "179"});
  fs::remove(path(daemon + ".vty"));
  running_.emplace(daemon, in_->background(argv));
  if (!wait_until([&] { return fs::exists(path(daemon + ".vty")); }))
    throw std::runtime_error("FRR's " + daemon + " does not start");
}

void Frr::kill(const std::string& daemon) {
  running_.erase(daemon);
}

void Frr::signal(const std::string& daemon, int number) {
  std::ifstream file(folder_ / (daemon + ".pid"));
  pid_t pid = 0;
  if (!(file >> pid) || ::kill(pid, number) < 0) throw std::runtime_error("signalling FRR's " + daemon);
}

std::string Frr::ask(const std::string& command) const {
  return in_->exec({"vtysh", "--vty_socket", folder_, "-c", command}).out;
}

void Frr::configure(const std::vector<std::string>& commands) const {
  Argv argv = {"vtysh", "--vty_socket", folder_, "-c", "configure terminal"};
  for (const auto& command : commands) argv.insert(argv.end(), {"-c", command});
  if (Output ran = in_->exec(argv); !ran.ok()) throw std::runtime_error("vtysh: " + ran.out + ran.err);
}

}  // namespace vnet::test

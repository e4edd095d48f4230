// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/verbs/serve.h"

#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "loader/base/files.h"
#include "loader/libvirt/network_service.h"
#include "loader/rpc/server.h"

namespace vnet::cli::verbs {
namespace {

constexpr int backlog = 64;

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.native().size() >= sizeof(address.sun_path))
    return invalid("--socket: " + path.string() + " is too long for a socket");
  path.native().copy(address.sun_path, path.native().size());
  return address;
}

// What a server that was killed has left can be removed; what somebody answers at cannot.
Result<void> make_way(const std::filesystem::path& path, const sockaddr_un& address) {
  Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0)
    return failed("another server listens at " + path.string());
  struct stat info {};
  if (::lstat(path.c_str(), &info) < 0) return {};
  if (!S_ISSOCK(info.st_mode)) return failed(path.string() + " is in the way: it is not a socket");
  return remove_file(path);
}

Result<rpc::Listener> listen_at(const std::filesystem::path& path, bool read_only) {
  VNET_ASSIGN(auto address, address_of(path));
  VNET_TRY(make_folder(path.parent_path()));
  VNET_TRY(make_way(path, address));
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd) return system_error("making a socket");
  mode_t before = ::umask(read_only ? 0111 : 0177);
  int bound = ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  ::umask(before);
  if (bound < 0 || ::listen(fd.get(), backlog) < 0) return system_error("listening at " + path.string());
  return rpc::Listener{std::move(fd), read_only};
}

// The names are those of packaging/systemd's sockets.
Result<std::vector<rpc::Listener>> inherited_listeners() {
  char** names = nullptr;
  int count = sd_listen_fds_with_names(1, &names);
  if (count < 0) return system_error("taking systemd's sockets", -count);
  std::vector<rpc::Listener> listeners;
  std::string unknown;
  for (int i = 0; i < count; ++i) {
    std::string name = names[i];
    std::free(names[i]);
    if (name != "network" && name != "network-ro") unknown = name;
    listeners.push_back({Fd(SD_LISTEN_FDS_START + i), name == "network-ro"});
  }
  std::free(static_cast<void*>(names));
  if (!unknown.empty())
    return failed("a socket's FileDescriptorName is '" + unknown + "': known are network and network-ro");
  return listeners;
}

Result<std::vector<rpc::Listener>> listeners(const Host& host, const ServeOptions& options) {
  VNET_ASSIGN(auto all, inherited_listeners());
  if (!all.empty()) return all;
  std::string path = options.socket.value_or(host.runtime_folder() / "network-sock");
  for (bool read_only : {false, true}) {
    VNET_ASSIGN(auto listener, listen_at(path + (read_only ? "-ro" : ""), read_only));
    all.push_back(std::move(listener));
  }
  std::fprintf(stderr, "serving network+unix:///system?socket=%s\n", path.c_str());
  return all;
}

}  // namespace

std::vector<Option> ServeOptions::list() {
  return {{"--socket PATH",
           "Listen at PATH, and for reading at PATH-ro; without it in the state directory. systemd's sockets "
           "come first",
           into(socket), complete_files}};
}

Result<void> serve(Host& host, const Common& common, const ServeOptions& options) {
  sigset_t ends;
  sigemptyset(&ends);
  for (int signal : {SIGTERM, SIGINT}) sigaddset(&ends, signal);
  // Before there is a second thread.
  if (sigprocmask(SIG_BLOCK, &ends, nullptr) < 0) return system_error("blocking signals");
  Fd end(::signalfd(-1, &ends, SFD_CLOEXEC));
  if (!end) return system_error("waiting for signals");
  VNET_ASSIGN(auto changer, open_host(common));
  VNET_ASSIGN(auto sockets, listeners(host, options));
  VNET_ASSIGN(auto service, libvirt::NetworkService::make(std::move(host), std::move(changer)));
  VNET_ASSIGN(auto server, rpc::Server::make(std::move(sockets), *service));
  sd_notify(0, "READY=1");
  auto served = server->serve(end.get());
  sd_notify(0, "STOPPING=1");
  return served;
}

}  // namespace vnet::cli::verbs

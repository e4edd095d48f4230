// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/libvirt_host.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace vnet::test {
namespace {

namespace fs = std::filesystem;

const char* const bus_conf =
    "<!DOCTYPE busconfig PUBLIC '-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN' "
    "'http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd'><busconfig><listen>{}</listen>"
    "<auth>EXTERNAL</auth><policy context='default'><allow user='*'/><allow send_destination='*' "
    "eavesdrop='true'/><allow eavesdrop='true'/><allow own='*'/></policy></busconfig>";

const char* const network_driver = "libvirt_driver_network.so";

std::string read(const fs::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

// The project's units and its driver, as `make install` puts them.
void install(const fs::path& prefix, const fs::path& driver) {
  fs::create_directories(prefix / "x86_64-linux-gnu/vnet-bpf/libvirt");
  fs::copy_file(driver, prefix / "x86_64-linux-gnu/vnet-bpf/libvirt" / network_driver);
  fs::create_directories(prefix / "systemd/system");
  const std::string sbin = fs::path(Playground::program()).parent_path();
  for (const auto& entry : fs::directory_iterator(VNET_SOURCE_DIR "/packaging/systemd")) {
    std::string name = entry.path().filename(), text = read(entry.path());
    if (name.ends_with(".in")) name.resize(name.size() - 3);
    for (std::size_t at = 0; (at = text.find("@SBINDIR@")) != std::string::npos;) text.replace(at, 9, sbin);
    std::ofstream(prefix / "systemd/system" / name) << text;
  }
}

constexpr const char* modular_sockets[] = {"virtnetworkd", "virtnetworkd-ro", "virtnetworkd-admin"};

}  // namespace

std::string LibvirtHost::missing() {
  if (auto missing = Libvirt::missing(); !missing.empty()) return missing;
  if (!test::sh("command -v dbus-daemon && command -v busctl").ok())
    return "dbus-daemon or busctl is not installed";
  if (!test::sh("/usr/bin/python3 -c 'import dbus, gi'").ok())
    return "python3-dbus or python3-gi is not installed";
  if (!fs::exists("/lib/systemd/system/libvirtd.service")) return "libvirtd.service is not installed";
  return "";
}

LibvirtHost::LibvirtHost(const fs::path& driver, Daemons daemons) {
  write_libvirt_folder(folder() / "libvirt", "VNET_BPF=true");
  install(folder() / "local", driver);
  install_daemons(daemons);
  fs::create_directory(folder() / "jobs");
  const std::string conf = folder() / "bus.conf", address = "unix:path=" + (folder() / "bus").string();
  std::ofstream(conf) << fmt::format(fmt::runtime(bus_conf), address);
  bus_.emplace(ground_.host().background({"dbus-daemon", "--nofork", "--config-file=" + conf}));
  if (!wait_until([&] { return fs::exists(folder() / "bus"); })) throw std::runtime_error("no bus");
  systemd_.emplace(
      ground_.host().background({"unshare", "-m", "--propagation", "private", "sh", "-ec",
                                 mounts() + "exec " VNET_SOURCE_DIR "/tests/tools/fake_systemd " + address +
                                     " " + (folder() / "jobs/calls").string()}));
  if (!wait_until([&] { return manager("Subscribe").ok(); }))
    throw std::runtime_error("systemd does not come");
  if (daemons == Daemons::Modular)
    for (const char* unit : modular_sockets) systemd(fmt::format("StartUnit ss {}.socket replace", unit));
  systemd(
      fmt::format("StartUnit ss {}.service replace", daemons == Daemons::Modular ? "virtqemud" : "libvirtd"));
  if (!wait_until([&] { return exec({"virsh", "-c", "qemu:///system", "uri"}).ok(); }))
    throw std::runtime_error("libvirtd does not answer: " + read(folder() / "libvirt/libvirtd.log"));
}

void LibvirtHost::enable(const std::string& target, const fs::path& unit) const {
  fs::create_directories(folder() / "systemd" / (target + ".wants"));
  fs::create_symlink(unit, folder() / "systemd" / (target + ".wants") / unit.filename());
}

void LibvirtHost::install_daemons(Daemons daemons) const {
  if (daemons == Daemons::Monolithic) {
    enable("multi-user.target", "/lib/systemd/system/libvirtd.service");
    enable("sockets.target", "/lib/systemd/system/libvirtd.socket");
    return;
  }
  const fs::path of_networks = folder() / "drivers/networks", of_guests = folder() / "drivers/guests";
  for (const auto& where : {of_networks, of_guests}) fs::create_directories(where);
  for (const auto& entry : fs::directory_iterator("/usr/lib/x86_64-linux-gnu/libvirt/connection-driver")) {
    const std::string name = entry.path().filename();
    if (name == network_driver)
      fs::create_symlink(entry.path(), of_networks / name);
    else
      fs::create_symlink(entry.path(), of_guests / name);
  }
  fs::copy_file(folder() / "local/x86_64-linux-gnu/vnet-bpf/libvirt" / network_driver,
                of_guests / network_driver);
  const fs::path units = "/usr/local/lib/systemd/system", here = folder() / "local/systemd/system";
  const char* service =
      "[Service]\nType=notify\nEnvironment=LIBVIRT_DRIVER_DIR={}\nEnvironment={}\n"
      "ExecStart=/usr/sbin/libvirtd --pid-file /run/{}.pid\n[Install]\nWantedBy=multi-user.target\n";
  std::ofstream(here / "virtnetworkd.service")
      << fmt::format(fmt::runtime(service), of_networks.string(), "NONE=1", "virtnetworkd");
  std::ofstream(here / "virtqemud.service")
      << fmt::format(fmt::runtime(service), of_guests.string(),
                     "VNET_BPF_NETWORK_SOCKET=/run/libvirt/virtnetworkd-sock", "virtqemud");
  enable("multi-user.target", units / "virtqemud.service");
  for (const std::string name : modular_sockets) {
    const std::string suffix = name.substr(std::string("virtnetworkd").size());  // "", "-ro", "-admin"
    std::ofstream(here / (name + ".socket")) << fmt::format(
        "[Socket]\nListenStream=/run/libvirt/virtnetworkd{1}\nFileDescriptorName=libvirtd{0}.socket\n"
        "Service=virtnetworkd.service\n[Install]\nWantedBy=sockets.target\n",
        suffix, suffix == "-admin" ? "-admin-sock" : "-sock" + suffix);
    enable("sockets.target", units / (name + ".socket"));
  }
}

LibvirtHost::~LibvirtHost() {
  std::istringstream guests(exec({"virsh", "-q", "list", "--name"}).out);
  for (std::string name; guests >> name;) exec({"virsh", "destroy", name});
  std::istringstream networks(exec({"virsh", "-q", "net-list", "--name"}).out);
  for (std::string name; networks >> name;) exec({"virsh", "net-destroy", name});
  if (systemd_) systemd_->terminate();  // with what it has started
}

// /etc, /run and /var/lib with changes of their own; what the program finds installed below /usr/local.
std::string LibvirtHost::mounts() const {
  std::string script;
  for (auto [name, path] : {std::pair{"etc", "/etc"}, {"run", "/run"}, {"varlib", "/var/lib"}}) {
    const std::string at = (folder() / "over" / name).string();
    script += fmt::format(
        "mkdir -p {0}/up {0}/work; mount -t overlay overlay -o lowerdir={1},upperdir={0}/up,workdir={0}/work "
        "{1}; ",
        at, path);
  }
  for (auto [name, path] :
       {std::pair{"systemd", "/etc/systemd/system"}, {"local", "/usr/local/lib"}, {"bpf", "/sys/fs/bpf"}})
    script += fmt::format("mount --bind {} {}; ", (folder() / name).string(), path);
  return script + "mkdir -p /etc/vnet-bpf /run/vnet-bpf /var/lib/vnet-bpf; " +
         libvirt_mounts(folder() / "libvirt");
}

Output LibvirtHost::exec(const Argv& argv, std::chrono::milliseconds limit) const {
  Argv words{"nsenter",
             "-t",
             std::to_string(systemd_->pid()),
             "-m",
             "-n",
             "env",
             "DBUS_SYSTEM_BUS_ADDRESS=unix:path=" + (folder() / "bus").string()};
  words.insert(words.end(), argv.begin(), argv.end());
  return execute(words, limit);
}

std::string LibvirtHost::must(const Argv& argv) const {
  Output output = exec(argv);
  if (!output.ok())
    throw std::runtime_error(
        fmt::format("{}: {}{}", fmt::join(argv, " "), output.err, read(folder() / "libvirt/libvirtd.log")));
  return output.out;
}

Output LibvirtHost::vnet(const Argv& words) const {
  Argv argv{Playground::program()};
  argv.insert(argv.end(), words.begin(), words.end());
  return exec(argv, std::chrono::seconds(120));
}

std::string LibvirtHost::virsh(const Argv& words) const {
  Argv argv{"virsh", "-q", "-c", "qemu:///system"};
  argv.insert(argv.end(), words.begin(), words.end());
  return must(argv);
}

Output LibvirtHost::manager(const std::string& call) const {
  return sh(
      "busctl --system call org.freedesktop.systemd1 /org/freedesktop/systemd1 "
      "org.freedesktop.systemd1.Manager " +
      call);
}

void LibvirtHost::systemd(const std::string& call) const {
  Output done = manager(call);
  if (!done.ok()) throw std::runtime_error(call + ": " + done.err);
}

std::string LibvirtHost::calls() const {
  return read(folder() / "jobs/calls");
}

std::map<std::string, std::string> LibvirtHost::files() const {
  Output listed = sh(
      "for d in /etc/libvirt /etc/systemd/system /var/lib/libvirt /run/libvirt/network /etc/vnet-bpf "
      "/var/lib/vnet-bpf; do find $d; done | sort | while read -r f; do case $f in *.pid) continue ;; esac; "
      "if [ -L $f ]; then echo $f link $(readlink $f); "
      "elif [ -f $f ]; then echo $f $(stat -c %a:%u:%g $f) $(sha256sum < $f); "
      "else echo $f $(stat -c %a:%u:%g $f); fi; done");
  std::map<std::string, std::string> files;
  std::istringstream lines(listed.out);
  for (std::string line; std::getline(lines, line);)
    files[line.substr(0, line.find(' '))] = line.substr(line.find(' ') + 1);
  return files;
}

}  // namespace vnet::test

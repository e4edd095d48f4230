// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/libvirt.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

namespace vnet::test {
namespace {

namespace fs = std::filesystem;

const char* const daemon_conf =
    "auth_unix_rw = \"none\"\nauth_unix_ro = \"none\"\nunix_sock_group = \"root\"\n";
const char* const qemu_conf =
    "user = \"root\"\ngroup = \"root\"\nsecurity_driver = \"none\"\ndynamic_ownership = 0\nremember_owner = "
    "0\n"
    "namespaces = [ ]\ncgroup_controllers = [ ]\nstdio_handler = \"file\"\n";

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream(path) << text;
}

}  // namespace

std::string Libvirt::missing() {
  for (const char* program : {"libvirtd", "virsh", "qemu-system-x86_64"})
    if (!sh(std::string("command -v ") + program).ok()) return std::string(program) + " is not installed";
  if (!sh("ls /usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so").ok())
    return "libvirt-daemon-driver-qemu is not installed";
  return "";
}

void write_libvirt_folder(const fs::path& folder, const std::string& environment) {
  for (const char* name : {"run", "lib", "log", "cache"}) fs::create_directories(folder / name);
  for (const char* name : {"qemu", "images", "dnsmasq", "boot", "network"})
    fs::create_directories(folder / "lib" / name);
  sh("cp -a /etc/libvirt " + (folder / "etc").string());
  fs::remove_all(folder / "etc/qemu");  // the machine's guests and networks
  fs::create_directories(folder / "etc/qemu/networks");
  write(folder / "etc/libvirtd.conf",
        daemon_conf + fmt::format("log_outputs = \"2:file:{}\"\n", (folder / "libvirtd.log").string()));
  write(folder / "etc/qemu.conf", qemu_conf);
  fs::path hook = folder / "etc/hooks/qemu";
  write(hook, fmt::format("#!/bin/sh\nexport {}\nexec {} \"$@\"\n", environment,
                          VNET_SOURCE_DIR "/packaging/libvirt/hooks/qemu"));
  fs::permissions(hook, fs::perms::owner_all);
}

std::string libvirt_mounts(const fs::path& folder) {
  std::string binds;
  for (auto [name, path] : {std::pair{"etc", "/etc/libvirt"},
                            {"run", "/run/libvirt"},
                            {"lib", "/var/lib/libvirt"},
                            {"log", "/var/log/libvirt"},
                            {"cache", "/var/cache/libvirt"}})
    binds += fmt::format("mkdir -p {1} && mount --bind {0} {1} && ", (folder / name).string(), path);
  return binds;
}

Libvirt::Libvirt(const Namespace& where, fs::path folder, const std::string& environment,
                 std::string daemon_environment)
    : where_(&where), folder_(std::move(folder)), environment_(std::move(daemon_environment)) {
  write_libvirt_folder(folder_, environment);
  start();
}

Libvirt::~Libvirt() {
  std::istringstream names(virsh({"list", "--name"}).out);
  for (std::string name; names >> name;) virsh({"destroy", name});
  names = std::istringstream(virsh({"net-list", "--name"}).out);
  for (std::string name; names >> name;) virsh({"net-destroy", name});
}

void Libvirt::start() {
  daemon_ = std::make_unique<Background>(
      where_->background({"unshare", "-m", "--propagation", "private", "sh", "-c",
                          libvirt_mounts(folder_) + "exec env " + environment_ + " libvirtd --pid-file " +
                              (folder_ / "libvirtd.pid").string()}));
  if (!wait_until([&] { return virsh({"uri"}).ok(); }, std::chrono::seconds(20)))
    throw std::runtime_error("libvirtd does not answer: " + log());
}

void Libvirt::restart() {
  daemon_.reset();
  start();
}

void Libvirt::restart(const std::string& daemon_environment) {
  environment_ = daemon_environment;
  restart();
}

Output Libvirt::virsh(const Argv& words, std::chrono::milliseconds limit) const {
  std::string pid = std::to_string(daemon_->pid());
  Argv argv{"nsenter", "-t", pid, "-m", "-n", "virsh", "-q", "-c", "qemu:///system"};
  argv.insert(argv.end(), words.begin(), words.end());
  return execute(argv, limit);
}

std::string Libvirt::must(const Argv& words) const {
  Output output = virsh(words);
  if (!output.ok()) throw std::runtime_error("virsh " + words.front() + ": " + output.err + log());
  return output.out;
}

std::string Libvirt::log() const {
  std::ifstream in(folder_ / "libvirtd.log");
  return {std::istreambuf_iterator<char>(in), {}};
}

std::string Libvirt::domain_file(const MachineImage& image, const DomainOptions& options) const {
  return libvirt_domain_file(folder_, image, options);
}

std::string libvirt_domain_file(const fs::path& folder, const MachineImage& image,
                                const DomainOptions& options) {
  fs::path file = folder / (options.name + ".xml");
  fs::path base = folder / options.name;
  std::string ports;
  for (int i = 0; i < 6; ++i) ports += "<controller type='pci' model='pcie-root-port'/>";
  write(file, fmt::format(R"(<domain type='qemu'>
  <name>{0}</name><memory unit='MiB'>256</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <kernel>{1}</kernel><initrd>{2}</initrd><cmdline>{3}</cmdline></os>
  <features><acpi/><apic/></features>
  <cpu mode='custom' match='exact' check='none'><model>qemu64</model><feature policy='disable' name='cx16'/></cpu>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/><controller type='pci' model='pcie-root'/>{4}
    <serial type='file'><source path='{5}.console'/><target port='0'/></serial>
    <console type='file'><source path='{5}.console'/><target type='serial' port='0'/></console>
    <console type='unix'><source mode='bind' path='{5}.shell'/><target type='virtio' port='1'/></console>
    <memballoon model='none'/>
{6}
  </devices>
</domain>
)",
                          options.name, image.kernel.string(), image.initrd.string(),
                          kernel_line(options.name), ports, base.string(), options.interface));
  return file;
}

std::unique_ptr<VirtualMachine> Libvirt::machine(const std::string& name) const {
  return std::make_unique<VirtualMachine>(folder_ / (name + ".shell"), folder_ / (name + ".console"));
}

std::string Libvirt::interface_of(const std::string& domain, const std::string& mac) const {
  std::istringstream lines(virsh({"domiflist", domain}).out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string interface, type, source, model, theirs;
    if (words >> interface >> type >> source >> model >> theirs && theirs == mac) return interface;
  }
  return "";
}

}  // namespace vnet::test

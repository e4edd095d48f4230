// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/virtual_machine.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <charconv>
#include <cstring>
#include <fstream>
#include <sstream>

namespace vnet::test {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;
using std::chrono::seconds;

// QEMU 7.2's emulation of cmpxchg16b now and then corrupts the guest.
const char* const processor = "qemu64,-cx16";
const char* const kernel_options =
    "console=ttyS0 quiet loglevel=4 mitigations=off nokaslr tsc=reliable no_timer_check random.trust_cpu=on";

Argv qemu_words(const MachineImage& image, const MachineOptions& options, const std::string& socket,
                const std::string& console) {
  std::string device = "virtio-net-pci,netdev=net,mac=" + options.mac;
  std::string tap = fmt::format("tap,id=net,ifname={},script=no,downscript=no,vhost=off", options.tap);
  if (options.queues > 1) {
    tap += fmt::format(",queues={}", options.queues);
    device += fmt::format(",mq=on,vectors={}", 2 * options.queues + 2);
  }
  // clang-format off
  return {"qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=single", "-cpu", processor,
          "-smp", std::to_string(options.queues), "-m", "256", "-nodefaults", "-no-user-config", "-display", "none",
          "-kernel", image.kernel, "-initrd", image.initrd,
          "-append", kernel_line(options.name),
          "-serial", "file:" + console,
          "-device", "virtio-serial-pci", "-chardev", fmt::format("socket,id=shell,path={},server=on,wait=off", socket),
          "-device", "virtconsole,chardev=shell", "-netdev", tap, "-device", device};
  // clang-format on
}

}  // namespace

std::string kernel_line(const std::string& name) {
  return fmt::format("{} guest.name={}", kernel_options, name);
}

std::expected<MachineImage, std::string> machine_image() {
  if (!sh("command -v qemu-system-x86_64").ok())
    return std::unexpected("qemu-system-x86_64 is not installed");
  Output built = execute({VNET_SOURCE_DIR "/vmtest/vmtest", "guest", "6.1"}, seconds(300));
  if (!built.ok()) return std::unexpected("no image for guests: " + built.err);
  std::istringstream lines(built.out);
  MachineImage image;
  std::string line;
  if (std::getline(lines, line)) image.kernel = line;
  if (std::getline(lines, line)) image.initrd = line;
  return image;
}

VirtualMachine::VirtualMachine(const Namespace& where, const std::filesystem::path& folder,
                               const MachineImage& image, const MachineOptions& options)
    : socket_path_(folder / (options.name + ".shell")), console_path_(folder / (options.name + ".console")) {
  qemu_ =
      std::make_unique<Background>(where.background(qemu_words(image, options, socket_path_, console_path_)));
}

bool VirtualMachine::connected() {
  if (socket_) return true;
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, socket_path_.c_str(), sizeof(address.sun_path) - 1);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) return false;
  socket_ = std::move(socket);
  return true;
}

bool VirtualMachine::wait_for(const std::string& text, Clock::time_point deadline) {
  while (heard_.find(text) == std::string::npos) {
    auto left = std::chrono::duration_cast<milliseconds>(deadline - Clock::now());
    pollfd waiting{.fd = socket_.get(), .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) <= 0) return false;
    std::array<char, 4096> buffer;
    ssize_t got = ::read(socket_.get(), buffer.data(), buffer.size());
    if (got <= 0) return false;
    heard_.append(buffer.data(), static_cast<std::size_t>(got));
  }
  return true;
}

bool VirtualMachine::wait_up(seconds limit) {
  auto deadline = Clock::now() + limit;
  if (!wait_until([this] { return connected(); }, limit)) return false;
  // What it said before the connection is lost, so it is asked; what it is asked too early may be lost, too.
  while (Clock::now() < deadline)
    if (sh("true", seconds(1)).ok()) return true;
  return false;
}

bool VirtualMachine::reboot(seconds limit) {
  heard_.clear();
  std::string line = fmt::format("{} reboot -f\n", ++number_);
  return ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) > 0 &&
         wait_for("@@up", Clock::now() + limit) && wait_up(limit);
}

Output VirtualMachine::sh(const std::string& command, seconds limit) {
  Output output{.status = 124, .timed_out = true, .out = {}, .err = {}};
  std::string line = fmt::format("{} {}\n", ++number_, command);
  std::string mark = fmt::format("\n@@{} ", number_);
  auto deadline = Clock::now() + limit;
  heard_.clear();
  bool answered = connected() && ::send(socket_.get(), line.data(), line.size(), MSG_NOSIGNAL) > 0 &&
                  wait_for(mark, deadline);
  auto end = heard_.find(mark);
  output.out = heard_.substr(0, end);
  if (!answered) return output;
  heard_.erase(0, end + mark.size());
  if (!wait_for("\n", deadline)) return output;
  output.timed_out = false;
  std::from_chars(heard_.data(), heard_.data() + heard_.size(), output.status);
  return output;
}

std::string VirtualMachine::console() const {
  std::ostringstream text;
  text << std::ifstream(console_path_).rdbuf();
  return text.str();
}

}  // namespace vnet::test

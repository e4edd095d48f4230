// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/os/lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <thread>

namespace vnet {

namespace {

// "pid 4711 (start)", as the holder wrote it; it may not have got that far.
std::string holder(int fd) {
  char buffer[128];
  ssize_t size = ::pread(fd, buffer, sizeof(buffer), 0);
  std::string text(buffer, static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  text.resize(std::min(text.find('\n'), text.size()));
  return text.empty() ? "" : ": " + text;
}

std::string duration_text(std::chrono::milliseconds wait) {
  if (wait.count() % 1000 == 0) return std::to_string(wait.count() / 1000) + " s";
  return std::to_string(wait.count()) + " ms";
}

}  // namespace

Result<Lock> Lock::acquire(const std::filesystem::path& file, std::string_view verb,
                           std::chrono::milliseconds wait) {
  using Clock = std::chrono::steady_clock;
  const std::string action = "locking " + file.string();
  // Who may open it may lock it, and then nobody else can do anything.
  Fd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd || ::fchmod(fd.get(), 0600) < 0) return system_error(action);
  const auto deadline = Clock::now() + wait;
  while (::flock(fd.get(), LOCK_EX | LOCK_NB) < 0) {
    if (errno == EINTR) continue;
    if (errno != EWOULDBLOCK) return system_error(action);
    const auto now = Clock::now();
    if (now >= deadline)
      return failed("another vnet-bpf is at work" + holder(fd.get()) +
                    (wait.count() ? "; gave up after " + duration_text(wait) : ""));
    std::this_thread::sleep_for(std::min<Clock::duration>(std::chrono::milliseconds(20), deadline - now));
  }
  // For those that wait. On a full disk they are not told who it is; nothing else hangs on it.
  std::string text = "pid " + std::to_string(::getpid()) + " (" + std::string(verb) + ")\n";
  [[maybe_unused]] bool told =
      ::ftruncate(fd.get(), 0) == 0 && ::pwrite(fd.get(), text.data(), text.size(), 0) > 0;
  return Lock(std::move(fd));
}

Lock::~Lock() {
  // Emptied while still held, so that the next holder's text is not what is lost.
  if (fd_ && ::ftruncate(fd_.get(), 0) < 0) return;
}

}  // namespace vnet

// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/pseudo_terminal.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <system_error>

#include "tests/support/namespace.h"

namespace vnet::test {
namespace {

void append_utf8(std::string& text, std::uint32_t c) {
  if (c < 0x80) {
    text += static_cast<char>(c);
  } else if (c < 0x800) {
    text += static_cast<char>(0xc0 | c >> 6);
    text += static_cast<char>(0x80 | (c & 0x3f));
  } else {
    text += static_cast<char>(0xe0 | c >> 12);
    text += static_cast<char>(0x80 | (c >> 6 & 0x3f));
    text += static_cast<char>(0x80 | (c & 0x3f));
  }
}

}  // namespace

PseudoTerminal::PseudoTerminal(const Argv& argv, Size size)
    : size_(size), terminal_(vterm_new(size.rows, size.columns)) {
  vterm_set_utf8(terminal_.get(), 1);
  screen_ = vterm_obtain_screen(terminal_.get());
  vterm_screen_enable_altscreen(screen_, 1);
  vterm_screen_reset(screen_, 1);
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  winsize window{};
  window.ws_row = static_cast<unsigned short>(size.rows);
  window.ws_col = static_cast<unsigned short>(size.columns);
  int master = -1;
  pid_ = forkpty(&master, nullptr, nullptr, &window);
  if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "forkpty");
  if (pid_ == 0) {
    setenv("TERM", "xterm", 0);
    execvp(words[0], words.data());
    _exit(127);
  }
  master_ = Fd(master);
  fcntl(master, F_SETFD, FD_CLOEXEC);
  fcntl(master, F_SETFL, O_NONBLOCK);
}

PseudoTerminal::~PseudoTerminal() {
  if (pid_ <= 0) return;
  kill(-pid_, SIGKILL);
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

void PseudoTerminal::type(const std::string& keys) const {
  if (::write(master_.get(), keys.data(), keys.size()) != static_cast<ssize_t>(keys.size()))
    throw std::system_error(errno, std::generic_category(), "typing");
}

void PseudoTerminal::resize(Size size) {
  read_output();
  size_ = size;
  vterm_set_size(terminal_.get(), size.rows, size.columns);
  winsize window{};
  window.ws_row = static_cast<unsigned short>(size.rows);
  window.ws_col = static_cast<unsigned short>(size.columns);
  if (ioctl(master_.get(), TIOCSWINSZ, &window))
    throw std::system_error(errno, std::generic_category(), "resizing the terminal");
}

void PseudoTerminal::read_output() {
  std::array<char, 4096> buffer;
  for (ssize_t got = 0; (got = read(master_.get(), buffer.data(), buffer.size())) > 0;)
    vterm_input_write(terminal_.get(), buffer.data(), static_cast<std::size_t>(got));
}

std::vector<std::string> PseudoTerminal::lines() {
  read_output();
  std::vector<std::string> all;
  for (int row = 0; row < size_.rows; ++row) {
    std::string line;
    for (int column = 0; column < size_.columns; ++column) {
      VTermScreenCell cell{};
      vterm_screen_get_cell(screen_, {row, column}, &cell);
      append_utf8(line, cell.chars[0] ? cell.chars[0] : ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    all.push_back(std::move(line));
  }
  return all;
}

std::string PseudoTerminal::text() {
  std::string all;
  for (const auto& line : lines()) all += line + "\n";
  return all;
}

bool PseudoTerminal::reversed(const std::string& word) {
  auto all = lines();
  for (int row = 0; row < size_.rows; ++row) {
    if (!all[static_cast<std::size_t>(row)].starts_with(word)) continue;
    VTermScreenCell cell{};
    vterm_screen_get_cell(screen_, {row, 0}, &cell);
    if (cell.attrs.reverse) return true;
  }
  return false;
}

bool PseudoTerminal::shows(const std::string& part, std::chrono::milliseconds limit) {
  return wait_until([&] { return text().find(part) != std::string::npos; }, limit);
}

bool PseudoTerminal::hides(const std::string& part, std::chrono::milliseconds limit) {
  return wait_until([&] { return text().find(part) == std::string::npos; }, limit);
}

std::optional<int> PseudoTerminal::ended(std::chrono::milliseconds limit) {
  int status = 0;
  if (pid_ <= 0) return std::nullopt;
  if (!wait_until(
          [&] {
            read_output();  // or it would wait for us
            return waitpid(pid_, &status, WNOHANG) == pid_;
          },
          limit))
    return std::nullopt;
  pid_ = -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace vnet::test

// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/services/dnsmasq.h"

#include <fmt/format.h>
#include <signal.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <string>

#include "loader/base/files.h"
#include "loader/os/distribution.h"
#include "loader/os/inotify.h"
#include "loader/os/process.h"

namespace vnet {

namespace {

// By which a process is known to be this network's dnsmasq: the whole argument.
std::string conf_argument(const std::filesystem::path& conf) {
  return "--conf-file=" + conf.string();
}

// The process that has that pid by now; 0 without one.
pid_t noted_pid(const std::filesystem::path& pid_file) {
  auto content = read_file(pid_file);
  if (!content || !*content) return 0;
  const std::string& text = **content;
  pid_t pid = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), pid);
  return error == std::errc() ? pid : 0;
}

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);  // npos + 1 is 0
}

// It means neither files nor this process, which the words do not say.
bool is_out_of_inotify(const std::string& words) {
  return words.contains("inotify") && words.contains(std::strerror(EMFILE));
}

std::string out_of_inotify_means() {
  const unsigned limit = inotify_limit();
  return fmt::format(
      ": every inotify instance that a user may have is taken (fs.inotify.max_user_instances is {}); more: "
      "{}",
      limit, raise_inotify_limit(limit));
}

}  // namespace

Result<void> Dnsmasq::start() const {
  if (running()) return {};
  if (!find_program("dnsmasq"))
    return failed("dnsmasq is not installed; " + this_distribution().install_dnsmasq());
  VNET_TRY(wait_if_dying(noted_pid(pid_file_), "dnsmasq"));
  VNET_ASSIGN(Output output, run({"dnsmasq", conf_argument(conf_), "--dhcp-leasefile=" + leases_.string()}));
  if (output.ok()) return {};
  std::string words = last_line(output.err);
  if (words.empty()) words = "dnsmasq: failed with status " + std::to_string(output.status);
  if (is_out_of_inotify(words)) words += out_of_inotify_means();
  return failed(std::move(words));
}

Result<void> Dnsmasq::check(std::string_view conf) const {
  Path tried = conf_.string() + ".tried";
  VNET_TRY(write_file(tried, conf, 0600));
  auto output = run({"dnsmasq", "--test", conf_argument(tried)});
  VNET_TRY(remove_file(tried));
  VNET_TRY(output);
  return output->ok() ? Result<void>{} : failed(last_line(output->err));
}

std::optional<pid_t> Dnsmasq::pid() const {
  pid_t pid = noted_pid(pid_file_);
  if (!process_has_argument(pid, conf_argument(conf_))) return std::nullopt;
  return pid;
}

Result<void> Dnsmasq::stop() const {
  VNET_TRY(terminate(noted_pid(pid_file_), conf_argument(conf_)));
  VNET_TRY(wait_if_dying(noted_pid(pid_file_), "dnsmasq"));
  return remove_file(pid_file_);
}

Result<void> Dnsmasq::reload() const {
  if (auto process = pid()) {
    VNET_ASSIGN(bool sent, send_signal(*process, conf_argument(conf_), SIGHUP));
    if (sent) return {};
  }
  return failed("dnsmasq is not running for " + conf_.string());
}

}  // namespace vnet

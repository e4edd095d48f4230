// SPDX-License-Identifier: GPL-2.0-or-later
// Child processes without a shell, and signals that cannot hit a stranger who got the same pid.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/base/error.h"

namespace vnet {

struct Output {
  int status = 0;  // exit code; 128 + signal number when a signal ended it
  std::string out, err;
  bool ok() const { return status == 0; }
};

// The executable's path, from PATH and then the sbin folders, which a user's PATH may lack. nullopt: none.
std::optional<std::string> find_program(const std::string& name);

// Runs argv[0] (looked up with find_program unless it has a slash) until it exits. The child has stdin
// /dev/null, the default signal handling, no file of ours but stdin, stdout and stderr, and stays in our
// namespaces. A daemon that it leaves behind and that keeps its stdout does not make us wait.
// NotFound: no such program. Failed: could not start, or still running after `timeout` (then killed).
// A non-zero status is not an error here.
Result<Output> run(const std::vector<std::string>& argv,
                   std::chrono::milliseconds timeout = std::chrono::seconds(30));

// `expected` guards against pid reuse: text that the process's command line (arguments joined by spaces)
// must contain. A zombie is not alive.
bool process_alive(pid_t pid, std::string_view expected);
// The same for one whole argument.
bool process_has_argument(pid_t pid, std::string_view argument);

// Whether it has the interfaces and routes that we have.
bool is_in_this_network(pid_t pid);

// SIGTERM, then after `timeout` SIGKILL, and waits for the end. A pid that is gone or is another process by
// now is a success, and gets no signal.
Result<void> terminate(pid_t pid, std::string_view expected,
                       std::chrono::milliseconds timeout = std::chrono::seconds(5));
// A killed process loses its arguments before the kernel has closed its sockets, which takes long when other
// namespaces are being removed. Waits for the end of one in that state; any other than `program` is left
// alone.
Result<void> wait_if_dying(pid_t pid, std::string_view program,
                           std::chrono::milliseconds timeout = std::chrono::seconds(30));
// false: not running (or another process); nothing was sent.
Result<bool> send_signal(pid_t pid, std::string_view expected, int signal);

}  // namespace vnet

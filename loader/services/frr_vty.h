// SPDX-License-Identifier: GPL-2.0-or-later
// A conversation with one of FRR's daemons by its vty socket, as vtysh has it: a command and NUL; the answer,
// three NULs and a status. Spoken directly rather than by running vtysh: each command has its own status, no
// process is started each time that `run` looks, and it works with vtysh's settings whatever they are.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "loader/base/error.h"
#include "loader/base/fd.h"

namespace vnet {

class FrrVty {
 public:
  // daemon: "bgpd". NotFound: it does not run, or not in this network namespace.
  static Result<FrrVty> connect(const std::filesystem::path& folder, const std::string& daemon);

  // What it answers. Failed, with its own words: it refuses the command.
  Result<std::string> ask(std::string_view command);
  // In configuration mode, one after the other. After a refusal the rest is not sent.
  Result<void> configure(const std::vector<std::string>& commands);

 private:
  FrrVty(std::string daemon, Fd socket) : daemon_(std::move(daemon)), socket_(std::move(socket)) {}
  Result<std::string> answer(int& status);

  std::string daemon_;
  Fd socket_;
};

}  // namespace vnet

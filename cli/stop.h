// SPDX-License-Identifier: GPL-2.0-or-later
// When a verb that runs on has to end: at a signal, or when nothing reads its output.
#pragma once

#include <chrono>

namespace vnet::cli {

// Set by SIGINT, SIGTERM and SIGHUP after stop_on_signals().
bool stopping();
void stop_on_signals();

bool reader_has_gone();  // the reader of stdout
// False: the reader has gone, or a signal came.
bool wait_for_reader(std::chrono::duration<double> time);

}  // namespace vnet::cli

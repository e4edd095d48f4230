// SPDX-License-Identifier: GPL-2.0-or-later
// When a verb that goes on shall end: at a signal, or when its output is read no more.
#pragma once

#include <chrono>

namespace vnet::cli {

// Set by SIGINT, SIGTERM and SIGHUP after stop_on_signals().
bool stopping();
void stop_on_signals();

bool reader_has_gone();  // the one of stdout
// False: the reader has gone, or we were told to stop.
bool wait_for_reader(std::chrono::duration<double> time);

}  // namespace vnet::cli

// SPDX-License-Identifier: GPL-2.0-or-later
// What the parts of the traffic tool share: namespaces by name, CPUs, programs at interfaces. Anything that
// fails throws: the tool ends with one line on stderr, and the benchmark with it.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/base/fd.h"

namespace vnet::bench {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

[[noreturn]] void fail(const std::string& what);  // with errno's text
inline double since(Clock::time_point start) {
  return Seconds(Clock::now() - start).count();
}

void enter_namespace(const std::string& name);
void pin_to_cpu(int cpu);                         // and ahead of whatever else the machine does
unsigned index_of(const std::string& interface);  // in the current namespace
std::vector<std::uint8_t> mac_bytes(const std::string& text);

enum class Hook : std::uint32_t { ingress = 46, egress = 47 };  // BPF_TCX_*; newer than Debian 12's headers
Fd attach(int program, unsigned ifindex, Hook hook);            // for as long as the descriptor is open

// "NAMESPACE:INTERFACE"
struct Place {
  std::string where;
  std::string interface;
};
Place place(std::string_view text);

// What one program at a hook has done so far.
struct HookUse {
  std::string hook;  // INTERFACE/ingress
  std::string program;
  std::uint32_t id = 0;
  std::uint64_t runs = 0;
  std::uint64_t nanoseconds = 0;
  std::uint32_t verified_instructions = 0;
  std::uint32_t jited_bytes = 0;
};
std::vector<HookUse> hooks_at(const Place& where);  // enters its namespace

// Runs `server` in a process of its own until `client` is done. The client's result is returned.
double serve(const std::function<void()>& server, const std::function<double()>& client);

}  // namespace vnet::bench

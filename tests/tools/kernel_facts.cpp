// SPDX-License-Identifier: GPL-2.0-or-later
// What the running kernel has, and what its verifier makes of each program, as JSON. Needs root. Changes
// nothing: it works in namespaces of its own, on a bpffs of its own.
//
//   {"kernel": "6.1.0", "hook": "clsact", "timers": true, ...,
//    "programs": {"nat/port_ingress": {"instructions": 12345, "states": 678, "stack": 304}}}
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/utsname.h>

#include <algorithm>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <regex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "loader/bpf/datapath.h"

namespace vnet {
namespace {

// Programs are specialised when they are loaded: each network below is one specialisation.
struct Variant {
  const char* name;
  std::uint32_t flags;
};
constexpr Variant variants[] = {
    {"nat", VNET_NETWORK_F_MASQUERADE4 | VNET_NETWORK_F_MASQUERADE6},
    {"nat-bypass", VNET_NETWORK_F_MASQUERADE4 | VNET_NETWORK_F_MASQUERADE6 | VNET_NETWORK_F_BYPASS},
    {"route", VNET_NETWORK_F_VISIBLE},
    {"open", VNET_NETWORK_F_VISIBLE | VNET_NETWORK_F_OPEN},
    {"isolated", VNET_NETWORK_F_ISOLATED | VNET_NETWORK_F_HOST_SERVICES},
    {"bridge", VNET_NETWORK_F_BRIDGED},
};

struct Helper {
  const char* name;
  bpf_func_id id;
};
constexpr Helper helpers[] = {
    {"bpf_timer", BPF_FUNC_timer_init},
    {"bpf_loop", BPF_FUNC_loop},
    {"bpf_redirect_peer", BPF_FUNC_redirect_peer},
};

std::string said;  // by libbpf, since it was last cleared

int listen(libbpf_print_level /*level*/, const char* format, va_list arguments) {
  va_list again;
  va_copy(again, arguments);
  int size = std::vsnprintf(nullptr, 0, format, again);
  va_end(again);
  std::string text(static_cast<std::size_t>(std::max(size, 0)) + 1, '\0');
  std::vsnprintf(text.data(), text.size(), format, arguments);
  text.pop_back();
  said += text;
  return 0;
}

// "stack depth 64+0+320": the program's own frame and those of its functions.
int deepest_frame(const std::string& log) {
  std::smatch found;
  int deepest = 0;
  if (!std::regex_search(log, found, std::regex("stack depth ([0-9+]+)"))) return deepest;
  std::string depths = found[1];
  std::replace(depths.begin(), depths.end(), '+', ' ');
  std::istringstream numbers(depths);
  for (int depth = 0; numbers >> depth;) deepest = std::max(deepest, depth);
  return deepest;
}

nlohmann::json statistics(const std::string& variant) {
  nlohmann::json programs = nlohmann::json::object();
  const std::string begin = ": -- BEGIN PROG LOAD LOG --", end = "-- END PROG LOAD LOG --";
  for (std::size_t at = said.find(begin); at != std::string::npos; at = said.find(begin, at + 1)) {
    std::size_t quote = said.rfind('\'', at), before = said.rfind('\'', quote - 1);
    std::string log = said.substr(at, said.find(end, at) - at);
    std::smatch found;
    if (!std::regex_search(log, found, std::regex("processed ([0-9]+) insns .* total_states ([0-9]+)")))
      continue;
    programs[variant + "/" + said.substr(before + 1, quote - before - 1)] = {
        {"instructions", std::stoi(found[1])},
        {"states", std::stoi(found[2])},
        {"stack", deepest_frame(log)}};
  }
  return programs;
}

// A refusal's reason is at the end of what the verifier says.
template <typename T>
T need(Result<T> result) {
  constexpr std::size_t shown = 4000;
  if (!result)
    throw std::runtime_error(result.error().message + "\n" +
                             said.substr(said.size() > shown ? said.size() - shown : 0));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

nlohmann::json verify_all(const std::string& pins) {
  set_verifier_log_level(4);
  libbpf_set_print(listen);
  Datapath datapath = need(Datapath::open_or_create(pins));
  nlohmann::json programs = nlohmann::json::object();
  for (const auto& [name, flags] : variants) {
    said.clear();
    need(datapath.load_network(name, {.slot = 1,
                                      .gateway_ifindex = 1,
                                      .gateway_mac = {},
                                      .flags = flags,
                                      .gateway4 = {},
                                      .gateway6 = {}}));
    programs.update(statistics(name));
  }
  said.clear();
  need(datapath.load_uplink("lo", {.slot = 1, .ifindex = 1, .ethernet = true, .limits_new_flows = true}));
  programs.update(statistics("uplink"));
  said.clear();
  for (bool forward : {false, true}) {
    auto xdp = need(datapath.open_uplink_xdp({.slot = 1,
                                              .ifindex = 1,
                                              .limits_new_flows = true,
                                              .forward = forward,
                                              .distrusts_checksums = forward}));
    if (int error = bpf_object__load(xdp.get())) need<void>(system_error("loading the XDP program", -error));
    programs.update(statistics(forward ? "xdp-forward" : "xdp"));
    said.clear();
  }
  need(datapath.load_parent("lo", {.slot = 1, .ifindex = 1, .mac = {}, .passthrough = false}));
  programs.update(statistics("direct"));
  said.clear();
  return programs;
}

// Whatever is attached, the product decides how; this asks the kernel the same question.
bool has_tcx() {
  const bpf_insn pass[] = {
      {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = -1},
      {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  Fd program(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "pass", "GPL", pass, std::size(pass), nullptr));
  Fd link(bpf_link_create(program.get(), 1, static_cast<bpf_attach_type>(46), nullptr));
  return static_cast<bool>(link);
}

nlohmann::json facts() {
  if (unshare(CLONE_NEWNET | CLONE_NEWNS)) throw std::system_error(errno, std::generic_category(), "unshare");
  mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  const char* pins = "/tmp";  // a bpffs over it, in this process's own mounts
  if (mount("bpf", pins, "bpf", 0, nullptr)) throw std::system_error(errno, std::generic_category(), "bpffs");
  utsname name{};
  uname(&name);
  nlohmann::json result = {{"kernel", name.release}, {"hook", has_tcx() ? "tcx" : "clsact"}};
  for (const auto& [helper, id] : helpers)
    result["helpers"][helper] = libbpf_probe_bpf_helper(BPF_PROG_TYPE_SCHED_CLS, id, nullptr) == 1;
  result["programs"] = verify_all(pins);
  return result;
}

}  // namespace
}  // namespace vnet

int main() {
  try {
    std::cout << vnet::facts().dump(1) << '\n';
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "kernel_facts: " << error.what() << '\n';
    return 1;
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/bpf_object.h"

#include <bpf/bpf.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "loader/bpf/datapath.h"

namespace vnet {
namespace {

namespace fs = std::filesystem;

bool libbpf_verbose = false;
unsigned verifier_log_level = 0;

int print(libbpf_print_level level, const char* format, va_list arguments) {
  if (!libbpf_verbose || level == LIBBPF_DEBUG) return 0;
  return std::vfprintf(stderr, format, arguments);
}

}  // namespace

void set_libbpf_verbose(bool verbose) {
  libbpf_verbose = verbose;
  libbpf_set_print(print);
}

void set_verifier_log_level(unsigned level) {
  verifier_log_level = level;
}

Result<void> make_folders(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return failed(fmt::format("creating {}: {}", path.string(), error.message()));
  return {};
}

std::unexpected<Error> load_failed(const std::string& what, int error) {
  std::string hint;
  if (error == -EPERM)
    hint = " (not allowed: run as root, and check kernel lockdown)";
  else if (!libbpf_verbose)
    hint = " (--verbose shows the kernel's reason)";
  return failed(fmt::format("loading {} into the kernel: {}{}", what, std::strerror(-error), hint));
}

Result<void> use_shared_maps(bpf_object* object, const fs::path& pins) {
  for (const char* name : SharedMaps::names()) {
    bpf_map* map = bpf_object__find_map_by_name(object, name);
    if (!map) continue;  // not used by this object
    Fd fd(bpf_obj_get((pins / "maps" / name).c_str()));
    if (!fd) return system_error(fmt::format("opening the pinned map {}", name));
    if (int error = bpf_map__reuse_fd(map, fd.get()))
      return system_error(fmt::format("using the pinned map {}", name), -error);
  }
  return {};
}

Result<void> pin_programs(bpf_object* object, const fs::path& folder) {
  VNET_TRY(make_folders(folder));
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    if (!bpf_program__autoload(program)) continue;
    fs::path path = folder / bpf_program__name(program);
    if (::unlink(path.c_str()) && errno != ENOENT) return system_error("unpinning " + path.string());
    if (bpf_obj_pin(bpf_program__fd(program), path.c_str())) return system_error("pinning " + path.string());
  }
  return {};
}

std::string pin_name(const std::string& name) {
  std::string escaped;
  for (char c : name) {
    if (c == '.')
      escaped += "%2e";
    else if (c == '%')
      escaped += "%25";
    else
      escaped += c;
  }
  return escaped;
}

bpf_object_open_opts open_options() {
  bpf_object_open_opts options{};
  options.sz = sizeof(options);
  options.kernel_log_level = verifier_log_level;
  return options;
}

}  // namespace vnet

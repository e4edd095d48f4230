// SPDX-License-Identifier: GPL-2.0-or-later
// How each of our BPF objects is opened, loaded and pinned; what they hold is with their owners
// (datapath.cpp, datapath_attach.cpp).
#pragma once

#include <bpf/libbpf.h>

#include <expected>
#include <filesystem>
#include <memory>
#include <string>

#include "loader/base/error.h"
#include "loader/bpf/build.h"
#include "loader/bpf/shared_maps.h"

namespace vnet {

template <typename Bpf>
struct Destroy {
  void operator()(Bpf* skeleton) const { Bpf::destroy(skeleton); }
};
template <typename Bpf>
using Skeleton = std::unique_ptr<Bpf, Destroy<Bpf>>;

// A folder for pins, and those above it.
Result<void> make_folders(const std::filesystem::path& path);

// As a file of the bpffs: it reserves dots in names; interfaces (eth0.100) and networks have them.
std::string pin_name(const std::string& name);

std::unexpected<Error> load_failed(const std::string& what, int error);

// Every object brings the definitions of all maps; the shared ones are those that are pinned.
Result<void> use_shared_maps(bpf_object* object, const std::filesystem::path& pins);

// Replaces older pins only once everything is loaded.
Result<void> pin_programs(bpf_object* object, const std::filesystem::path& folder);

// Options of every object.
bpf_object_open_opts open_options();

// An object as it is before its own constants are set: only what all have in common is.
template <typename Bpf>
Result<Skeleton<Bpf>> open_object(const SharedMaps& maps) {
  bpf_object_open_opts options = open_options();
  Skeleton<Bpf> skeleton(Bpf::open(&options));
  if (!skeleton) return system_error("reading the BPF object");
  auto settings = maps.settings.get(0);
  if (!settings) return failed("the settings map is empty");
  if constexpr (requires { skeleton->rodata->secret; }) skeleton->rodata->secret = settings->secret;
  skeleton->rodata_build->program_build = this_build<Bpf>();
  // Tells builds of the programs apart; never 0.
  if constexpr (requires { skeleton->rodata->clock_version; })
    skeleton->rodata->clock_version = static_cast<__u32>(this_build<Bpf>()) | 1;
  return skeleton;
}

template <typename Bpf>
Result<void> load_object(Bpf* skeleton, const char* what, const std::filesystem::path& pins,
                         const std::filesystem::path& folder) {
  VNET_TRY(use_shared_maps(skeleton->obj, pins));
  if (int error = Bpf::load(skeleton)) return load_failed(what, error);
  return pin_programs(skeleton->obj, folder);
}

}  // namespace vnet

// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/bpf/before.h"

#include <bpf/bpf.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "loader/bpf/bpf_object.h"

namespace vnet {

namespace fs = std::filesystem;

bool Before::exists() const {
  std::error_code ignored;
  return fs::exists(folder(), ignored);
}

Result<void> Before::begin() const {
  return make_folders(folder());
}

Result<void> Before::keep_folder(const fs::path& of) const {
  VNET_TRY(make_folders(folder() / of));
  std::error_code error;
  for (const auto& pin : fs::directory_iterator(pins_ / of, error)) {
    auto kept = folder() / of / pin.path().filename();
    if (::link(pin.path().c_str(), kept.c_str()) && errno != EEXIST)
      return system_error("keeping " + pin.path().string());
  }
  return {};
}

Result<void> Before::put_back_folder(const fs::path& of) const {
  std::error_code error;
  for (const auto& kept : fs::directory_iterator(folder() / of, error)) {
    auto pin = pins_ / of / kept.path().filename();
    if (::unlink(pin.c_str()) && errno != ENOENT) return system_error("unpinning " + pin.string());
    if (::link(kept.path().c_str(), pin.c_str())) return system_error("putting back " + pin.string());
  }
  return {};
}

namespace {

Result<void> move(const fs::path& from, const fs::path& to) {
  VNET_TRY(make_folders(to.parent_path()));
  if (::rename(from.c_str(), to.c_str()) && errno != ENOENT) return system_error("moving " + from.string());
  return {};
}

}  // namespace

Result<void> Before::set_aside(const fs::path& what) const {
  return move(pins_ / what, folder() / what);
}

Result<void> Before::bring_back(const fs::path& what) const {
  return move(folder() / what, pins_ / what);
}

Result<void> Before::keep(const std::string& name, const Fd& program) const {
  if (!program) return {};
  VNET_TRY(make_folders(folder() / "programs"));
  if (bpf_obj_pin(program.get(), (folder() / "programs" / pin_name(name)).c_str()) && errno != EEXIST)
    return system_error("keeping the program " + name);
  return {};
}

Fd Before::kept(const std::string& name) const {
  return Fd(bpf_obj_get((folder() / "programs" / pin_name(name)).c_str()));
}

void Before::remove() const {
  std::error_code ignored;
  fs::remove_all(folder(), ignored);
}

}  // namespace vnet

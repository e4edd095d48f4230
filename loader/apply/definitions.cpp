// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include "loader/apply/apply.h"
#include "loader/base/files.h"

namespace vnet {

Result<void> apply(System&, const StoreDefinition& change) {
  return write_file(change.path, change.xml, 0644);
}

Result<void> undo(System&, const StoreDefinition& change) {
  return change.before ? write_file(change.path, *change.before, 0644) : remove_file(change.path);
}

Result<void> apply(System&, const RemoveDefinition& change) {
  VNET_TRY(remove_file(change.autostart));
  return remove_file(change.path);
}

Result<void> apply(System&, const SetAutostart& change) {
  if (!change.enable) return remove_file(change.link);
  std::error_code error;
  std::filesystem::create_symlink("../" + change.name + ".xml", change.link, error);
  if (error) return failed(fmt::format("linking {}: {}", change.link.string(), error.message()));
  return {};
}

}  // namespace vnet

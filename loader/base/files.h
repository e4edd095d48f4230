// SPDX-License-Identifier: GPL-2.0-or-later
// Small files, written so that a reader (or a crash) sees the old content or the new, never half of it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "loader/base/error.h"

namespace vnet {

// Temporary file in the same folder, fsync, rename, fsync of the folder. Exactly `mode`, whatever the umask.
Result<void> write_file(const std::filesystem::path& path, std::string_view content, mode_t mode = 0644);
Result<std::optional<std::string>> read_file(const std::filesystem::path& path);  // nullopt: not there
Result<void> remove_file(const std::filesystem::path& path);                      // missing: success
// Names (not paths) of the regular files and symbolic links to such in `folder` that end in `suffix`, sorted,
// without unfinished ones. A missing folder is an empty one.
Result<std::vector<std::string>> list_files(const std::filesystem::path& folder,
                                            std::string_view suffix = "");
// The folder and those above it, 0755 unless told otherwise for the last; existing ones stay as they are.
// What write_file() leaves when it is killed. Only where no other process writes.
void remove_unfinished_files(const std::filesystem::path& folder);
Result<void> make_folder(const std::filesystem::path& path, mode_t mode = 0755);

}  // namespace vnet

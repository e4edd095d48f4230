// SPDX-License-Identifier: GPL-2.0-or-later
// How a monolithic libvirtd comes to load our network driver: a folder of links to all of its drivers, with
// ours in the place of its own for networks, and a drop-in for its unit that names the folder. No file of a
// package is touched.
#pragma once

#include <filesystem>

#include "loader/base/error.h"

namespace vnet::takeover {

// Our driver's file; "": it is not installed.
std::filesystem::path find_driver();

bool has_driver_files();        // anything of what write_driver_files() writes
bool driver_files_are_whole();  // all of it, for the drivers that are installed now
Result<void> write_driver_files();
// keep_folder: the drop-in's folder stays, though empty.
Result<void> remove_driver_files(bool keep_folder);

}  // namespace vnet::takeover

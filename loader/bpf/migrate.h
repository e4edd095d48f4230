// SPDX-License-Identifier: GPL-2.0-or-later
// The shared maps in another layout than this build's (loader/bpf/layouts): read as if they were in this one,
// moved to it while packets go on, and back.
//
// A map that is the same in both layouts stays the same map. Of the others copies are made; all of them
// together take the pins' place at once (PINS/maps and PINS/before/maps change places), and what has been
// written into the old ones by programs that were not replaced yet is copied afterwards.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/bpf/shared_maps.h"

namespace vnet {

// What is pinned in that folder; 0: nothing.
unsigned pinned_layout(const std::filesystem::path& maps);
// Whether entries can be taken from the one to the other.
bool can_move(unsigned from, unsigned to);
// The maps that are not the same in both.
std::vector<std::string> moved_maps(unsigned from, unsigned to);

// The maps of an older layout as this one's, to be read: copies as of now of what is not the same.
Result<SharedMaps> view_maps(const std::filesystem::path& pins);

// To this build's layout, or from it to an older one.
Result<void> move_maps(const std::filesystem::path& pins, unsigned to);
// From PINS/before/maps to PINS/maps, once more. Idempotent.
Result<void> copy_rest(const std::filesystem::path& pins);
// Those alone. last: the programs of the old ones are gone, and their timer goes, too.
Result<void> copy_sessions(const std::filesystem::path& pins, bool last);
// Undoes move_maps(): with what packets have written since. Nothing when it had not come to that.
Result<void> move_back(const std::filesystem::path& pins, unsigned to);

}  // namespace vnet

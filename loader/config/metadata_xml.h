// SPDX-License-Identifier: GPL-2.0-or-later
// A network's title, description, and the elements that programs keep in its <metadata>.
#pragma once

#include <optional>
#include <string>

#include "loader/base/error.h"
#include "loader/model/network.h"

namespace vnet {

// uri: of the element's namespace. nullopt: there is none.
Result<std::optional<std::string>> metadata_of(const Network& network, MetadataKind kind,
                                               const std::string& uri);
// value: the text, or the element's XML, which gets the prefix `key` and the namespace `uri`. nullopt: none.
Result<Network> with_metadata(const Network& network, MetadataKind kind,
                              const std::optional<std::string>& value, const std::string& key,
                              const std::string& uri);

}  // namespace vnet

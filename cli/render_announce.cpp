// SPDX-License-Identifier: GPL-2.0-or-later
// What is announced, as text and JSON.
#include <nlohmann/json.hpp>

#include "cli/render.h"
#include "cli/text.h"

namespace vnet::cli {

std::string announced_text(const AnnouncedView& view) {
  Table table({"Prefix", "Network", "Interface", "State"});
  for (const auto& one : view.all)
    table.add({one.prefix.text(), one.network, one.is_host() ? one.port : one.gateway,
               std::string(announced_state_name(one.state)) + (one.why.empty() ? "" : ": " + one.why)});
  for (const auto& prefix : view.stale) table.add({prefix.text(), "-", "-", "stale"});
  return table.text();
}

Json announced_json(const AnnouncedView& view) {
  Json json{{"frr", view.no_frr.empty()}, {"announcements", Json::array()}, {"stale", Json::array()}};
  for (const auto& one : view.all)
    json["announcements"].push_back({{"prefix", one.prefix.text()},
                                     {"network", one.network},
                                     {"interface", one.is_host() ? one.port : one.gateway},
                                     {"host", one.is_host()},
                                     {"state", announced_state_name(one.state)},
                                     {"why", one.why}});
  for (const auto& prefix : view.stale) json["stale"].push_back(prefix.text());
  return json;
}

}  // namespace vnet::cli

// SPDX-License-Identifier: GPL-2.0-or-later
// Rules in the words of `nft -a list ruleset`: to be shown, and for what of iptables-nft's extensions the
// JSON leaves out.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <tuple>

namespace vnet {

// By family, table and handle; without counters.
using RuleTexts = std::map<std::tuple<std::string, std::string, unsigned>, std::string>;
RuleTexts rule_texts(const std::string& listing);

// The expressions with those of iptables-nft's extensions spelled out that the text tells of.
nlohmann::json without_extensions(nlohmann::json expressions, const std::string& text);

}  // namespace vnet

// SPDX-License-Identifier: GPL-2.0-or-later
// The options and arguments of a verb as a table: how each is written, its help, where its value is stored,
// and what the shell completes. options.cpp parses with it; verbs/completion.cpp and verbs/synopsis.cpp print
// it.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "loader/base/error.h"

namespace vnet::cli {

using Words = std::vector<std::string>;

// Where the words of an option are stored: a member of a struct of options, which must outlive this.
struct Target {
  std::function<Result<void>(const Words&)> take;
  bool repeatable = false;  // all uses count; otherwise the last one
  // Instead of take: a number from 1 to `max` (0: no limit).
  std::uint64_t* number = nullptr;
  std::uint64_t max = 0;
};

struct Option {
  // `spelling`: "--network NET", "--watch [SECONDS]" where the value may be missing, "--all" for a flag,
  // "NET" for an argument. `completion`: words, or one of complete_files and the like.
  Option(const std::string& spelling, std::string help, Target target, std::string completion = {});
  Option required() &&;
  Option at_least(int words) &&;                // of a repeatable argument
  Option single() &&;                           // takes all words, so that check() can refuse more than one
  Option only(Words words) &&;                  // refuses other words
  Option instead_of(Words others) &&;           // refused together with these options
  Option or_variable(std::string variable) &&;  // an environment variable

  bool is_argument() const { return !name.starts_with("-"); }
  bool is_flag() const { return !is_argument() && value.empty(); }

  std::string name, value, help;
  Target target;
  std::string completion;
  bool is_required = false, is_single = false, value_may_be_missing = false;
  int minimum = 1;
  Words choices, excludes;
  std::string environment;
};

inline constexpr auto complete_networks = "$(_vnet_bpf_networks)";
inline constexpr auto complete_ports = "$(_vnet_bpf_ports)";
inline constexpr auto complete_links = "$(_vnet_bpf_links)";
inline constexpr auto complete_files = "-f";  // options of bash's compgen
inline constexpr auto complete_folders = "-d";

// The options of every verb.
struct Common {
  std::string verb;
  std::optional<std::filesystem::path> state_dir;
  bool json = false, dry_run = false, verbose = false;
};
std::vector<Option> common_options(Common& to);

// A flag: bool or std::optional<bool>.
template <typename T>
Target flag_into(T& to, bool value = true) {
  return {[&to, value](const Words&) -> Result<void> {
    to = value;
    return {};
  }};
}

template <typename T>
requires std::assignable_from<T&, std::string> Target into(T& to) {
  return {[&to](const Words& words) -> Result<void> {
    to = words.back();
    return {};
  }};
}

inline Target into(Words& to) {
  return {[&to](const Words& words) -> Result<void> {
            to = words;
            return {};
          },
          true};
}

inline Target into(std::uint64_t& to, std::uint64_t max) {
  return {.take = nullptr, .number = &to, .max = max};
}

template <typename T>
using Parse = Result<T> (*)(const std::string& word);

template <typename T>
Target into(std::optional<T>& to, Parse<T> parse) {
  return {[&to, parse](const Words& words) -> Result<void> {
    VNET_ASSIGN(to, parse(words.back()));
    return {};
  }};
}

template <typename T>
Target into(std::vector<T>& to, Parse<T> parse) {
  return {[&to, parse](const Words& words) -> Result<void> {
            for (const auto& word : words) {
              VNET_ASSIGN(auto value, parse(word));
              to.push_back(std::move(value));
            }
            return {};
          },
          true};
}

// Stores each value once. The single word `none` stores an empty list.
template <typename T>
Target into(std::optional<std::vector<T>>& to, Parse<T> parse) {
  return {[&to, parse](const Words& words) -> Result<void> {
            to.emplace();
            if (words == Words{"none"}) return {};
            for (const auto& word : words) {
              VNET_ASSIGN(auto value, parse(word));
              if (std::ranges::find(*to, value) == to->end()) to->push_back(std::move(value));
            }
            return {};
          },
          true};
}

std::string join(const Words& words, const char* separator);
// "--link: 'sideways' is not one of up, down"
Result<void> one_of(const std::string& what, const std::string& word, const Words& choices);

}  // namespace vnet::cli

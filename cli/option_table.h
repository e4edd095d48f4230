// SPDX-License-Identifier: GPL-2.0-or-later
// A verb's options and arguments are a table: how each is written, what --help says, where its value goes,
// and what the shell offers for it. options.cpp parses with it, verbs/completion.cpp and verbs/synopsis.cpp
// print it.
#pragma once

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "loader/error.h"

namespace vnet::cli {

using Words = std::vector<std::string>;

// Where the words of an option go: into a member of a verb's options, which must outlive it.
struct Target {
  std::function<Result<void>(const Words&)> take;
  bool repeatable = false;  // all uses count, else the last one
  // Or a number from 1 to `max`; 0: no limit.
  std::uint64_t* number = nullptr;
  std::uint64_t max = 0;
};

struct Option {
  // `spelling`: "--network NET", "--watch [SECONDS]" where the value may be missing, "--all" for a flag,
  // "NET" for an argument. `completion`: words, or one of complete_files and the like.
  Option(const std::string& spelling, std::string help, Target target, std::string completion = {});
  Option required() &&;
  Option at_least(int words) &&;
  Option single() &&;                           // repeatable only for check() to refuse it
  Option only(Words words) &&;                  // no other words are allowed
  Option instead_of(Words others) &&;           // options that cannot stand beside it
  Option or_variable(std::string variable) &&;  // of the environment

  bool is_argument() const { return !name.starts_with("-"); }
  bool is_flag() const { return !is_argument() && value.empty(); }

  std::string name, value, help;
  Target target;
  std::string completion;
  bool is_required = false, is_single = false, value_may_be_missing = false;
  int minimum = 1;  // of a repeatable one
  Words choices, excludes;
  std::string environment;
};

inline constexpr auto complete_networks = "$(_vnet_bpf_networks)";
inline constexpr auto complete_ports = "$(_vnet_bpf_ports)";
inline constexpr auto complete_links = "$(_vnet_bpf_links)";
inline constexpr auto complete_files = "-f";  // options of bash's compgen
inline constexpr auto complete_folders = "-d";

// What every command line may say.
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

// Each value once. The word `none` alone takes back what was set before.
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

// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/apply/executor.h"

#include <fmt/format.h>

#include <algorithm>
#include <ranges>

#include "loader/apply/apply.h"

namespace vnet {
namespace {

// What was begun, the newest last.
class UndoLog {
 public:
  explicit UndoLog(System& system) : system_(&system) {}

  Result<void> apply(const Change& change) {
    begun_.push_back(&change);
    return std::visit([&](const auto& one) { return vnet::apply(*system_, one); }, change);
  }

  Error undo(Error error) {
    for (const Change* change : begun_ | std::views::reverse) {
      auto undone = std::visit([&](const auto& one) { return vnet::undo(*system_, one); }, *change);
      if (!undone)
        error.message += fmt::format("; undoing '{}' failed, too: {}", text(*change), undone.error().message);
    }
    begun_.clear();
    return error;
  }

 private:
  System* system_;
  std::vector<const Change*> begun_;
};

}  // namespace

Result<void> carry_out(System& system, const std::vector<Step>& steps) {
  UndoLog log(system);
  for (const auto& step : steps)
    if (auto done = log.apply(step.change); !done) return std::unexpected(log.undo(std::move(done).error()));
  return {};
}

std::vector<Outcome> carry_out_apart(System& system, const std::vector<Step>& steps) {
  struct Concern {
    Outcome outcome;
    UndoLog log;
  };
  std::vector<Concern> concerns;
  auto concern_of = [&](const std::string& about) -> Concern& {
    auto known = std::ranges::find(concerns, about, [](const Concern& one) { return one.outcome.about; });
    if (known == concerns.end())
      known = concerns.insert(
          known, {.outcome = {.about = about, .texts = {}, .result = {}}, .log = UndoLog(system)});
    return *known;
  };
  for (const auto& step : steps) {
    Concern& concern = concern_of(step.about);
    if (!concern.outcome.result) continue;
    if (auto done = concern.log.apply(step.change); !done)
      concern.outcome.result = std::unexpected(concern.log.undo(std::move(done).error()));
    else
      concern.outcome.texts.push_back(text(step.change));
  }
  std::vector<Outcome> outcomes;
  for (auto& concern : concerns) outcomes.push_back(std::move(concern.outcome));
  return outcomes;
}

}  // namespace vnet

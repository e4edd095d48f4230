// SPDX-License-Identifier: GPL-2.0-or-later
// What a verb does: a function with a struct of options of its own. How the function is called follows from
// its kind: changes(), looks() and so on, below.
//
// A struct of options has
//   std::vector<Option> list()                  how they are written
// and, if it needs them,
//   Result<void> check(const Common&) const     refuses combinations that make no sense
//   Result<void> load()                         reads what is named by the options, before the lock is taken
//   bool changes() const                        for changes_or_looks()
#pragma once

#include <any>
#include <functional>
#include <memory>
#include <vector>

#include "cli/option_table.h"
#include "loader/error.h"
#include "loader/host.h"

namespace vnet::cli {

struct NoOptions {
  std::vector<Option> list() { return {}; }
};

// A verb with options for one command line.
struct Call {
  std::vector<Option> options;  // to be filled in before the rest is used
  std::function<Result<void>(const Common&)> check;
  std::function<bool()> changes;  // takes --dry-run; else it prints facts, and takes --json
  std::function<Result<void>(const Common&)> run;
  std::any values;  // std::shared_ptr of the struct of options
};

using Action = std::function<Call()>;

Result<Host> open_host(const Common& common);
// Prints the plan with --dry-run, else runs it. `load` and `plan` as in the struct of options and changes().
Result<void> change(const Common& common, const std::function<Result<void>()>& load,
                    const std::function<Result<Plan>(Host&)>& plan);

template <typename Options>
using PlanFunction = Result<Plan> (*)(Host&, const Options&);
template <typename Options>
using HostFunction = Result<void> (*)(Host&, const Common&, const Options&);
template <typename Options>
using BareFunction = Result<void> (*)(const Common&, const Options&);

template <typename Options, typename Changes, typename Run>
Call make_call(Changes changes, Run run) {
  auto values = std::make_shared<Options>();
  return {.options = values->list(),
          .check = [values](const Common& common) -> Result<void> {
            if constexpr (requires { values->check(common); }) return values->check(common);
            return {};
          },
          .changes = [values, changes] { return changes(*values); },
          .run = [values, run](const Common& common) { return run(common, *values); },
          .values = values};
}

template <typename Options>
Result<void> change_as(const Common& common, Options& options, PlanFunction<Options> plan) {
  auto load = [&]() -> Result<void> {
    if constexpr (requires { options.load(); }) return options.load();
    return {};
  };
  return change(common, load, [&](Host& host) { return plan(host, options); });
}

template <typename Options>
Result<void> look_as(const Common& common, const Options& options, HostFunction<Options> look) {
  VNET_ASSIGN(auto host, open_host(common));
  return look(host, common, options);
}

// Changes the host by a plan, which is made and run under the lock.
template <typename Options>
Action changes(PlanFunction<Options> plan) {
  return [plan] {
    return make_call<Options>(
        [](const Options&) { return true; },
        [plan](const Common& common, Options& options) { return change_as(common, options, plan); });
  };
}

// Only looks.
template <typename Options>
Action looks(HostFunction<Options> look) {
  return [look] {
    return make_call<Options>(
        [](const Options&) { return false; },
        [look](const Common& common, Options& options) { return look_as(common, options, look); });
  };
}

// Only looks, and opens the host itself: never, or anew each time it looks.
template <typename Options>
Action looks(BareFunction<Options> look) {
  return [look] { return make_call<Options>([](const Options&) { return false; }, look); };
}

// One or the other, as Options::changes() says.
template <typename Options>
Action changes_or_looks(PlanFunction<Options> plan, HostFunction<Options> look) {
  return [plan, look] {
    return make_call<Options>([](const Options& options) { return options.changes(); },
                              [plan, look](const Common& common, Options& options) {
                                return options.changes() ? change_as(common, options, plan)
                                                         : look_as(common, options, look);
                              });
  };
}

// Changes the host again and again: it makes the plans, takes the lock and minds --dry-run itself.
template <typename Options>
Action keeps_changing(HostFunction<Options> function) {
  return [function] {
    return make_call<Options>(
        [](const Options&) { return true; },
        [function](const Common& common, Options& options) { return look_as(common, options, function); });
  };
}

}  // namespace vnet::cli

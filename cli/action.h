// SPDX-License-Identifier: GPL-2.0-or-later
// What a verb does: a function, and a struct with the verb's own options. changes(), looks() and the others
// below say how the function is called.
//
// A struct of options has
//   std::vector<Option> list()                  how the options are written
// and, where needed,
//   Result<void> check(const Common&) const     refuses combinations that make no sense
//   Result<void> load()                         reads the files that are named, before the lock is taken
//   bool changes() const                        for changes_or_looks()
#pragma once

#include <any>
#include <functional>
#include <memory>
#include <vector>

#include "cli/option_table.h"
#include "loader/base/error.h"
#include "loader/engine/host.h"

namespace vnet::cli {

struct NoOptions {
  std::vector<Option> list() { return {}; }
};

// A verb and its options, for one command line.
struct Call {
  std::vector<Option> options;  // filled in before the functions are called
  std::function<Result<void>(const Common&)> check;
  std::function<bool()> changes;  // true: takes --dry-run; false: prints facts, takes --json
  std::function<Result<void>(const Common&)> run;
  std::any values;       // a std::shared_ptr to the struct of options
  bool reports = false;  // takes --json though it changes something: what it has done
};

using Action = std::function<Call()>;

Result<Host> open_host(const Common& common);  // to be read
// Carries the intent out; with --dry-run prints what that would be.
Result<void> change(const Common& common, const Intent& intent);

template <typename Options>
using IntentFunction = Result<Intent> (*)(const Options&);
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
Result<void> change_as(const Common& common, Options& options, IntentFunction<Options> intent_of) {
  if constexpr (requires { options.load(); }) VNET_TRY(options.load());
  VNET_ASSIGN(auto intent, intent_of(options));
  return change(common, intent);
}

template <typename Options>
Result<void> look_as(const Common& common, const Options& options, HostFunction<Options> look) {
  VNET_ASSIGN(auto host, open_host(common));
  return look(host, common, options);
}

// Changes the host: what is asked for is planned and carried out under the lock.
template <typename Options>
Action changes(IntentFunction<Options> intent_of) {
  return [intent_of] {
    return make_call<Options>([](const Options&) { return true; },
                              [intent_of](const Common& common, Options& options) {
                                return change_as(common, options, intent_of);
                              });
  };
}

// Reads facts and prints them.
template <typename Options>
Action looks(HostFunction<Options> look) {
  return [look] {
    return make_call<Options>(
        [](const Options&) { return false; },
        [look](const Common& common, Options& options) { return look_as(common, options, look); });
  };
}

// The same, for verbs that do without the host, or open it anew for each reading.
template <typename Options>
Action looks(BareFunction<Options> look) {
  return [look] { return make_call<Options>([](const Options&) { return false; }, look); };
}

// Options::changes() tells which of the two.
template <typename Options>
Action changes_or_looks(IntentFunction<Options> intent_of, HostFunction<Options> look) {
  return [intent_of, look] {
    return make_call<Options>([](const Options& options) { return options.changes(); },
                              [intent_of, look](const Common& common, Options& options) {
                                return options.changes() ? change_as(common, options, intent_of)
                                                         : look_as(common, options, look);
                              });
  };
}

// The same, for what is not a plan's: the function takes the lock itself, and handles --dry-run.
template <typename Options>
Action changes_or_looks(HostFunction<Options> function) {
  return [function] {
    return make_call<Options>(
        [](const Options& options) { return options.changes(); },
        [function](const Common& common, Options& options) { return look_as(common, options, function); });
  };
}

// Goes on changing the host. The function takes the lock for each round, and handles --dry-run.
template <typename Options>
Action keeps_changing(HostFunction<Options> function) {
  return [function] {
    return make_call<Options>(
        [](const Options&) { return true; },
        [function](const Common& common, Options& options) { return look_as(common, options, function); });
  };
}

}  // namespace vnet::cli

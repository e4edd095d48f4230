// SPDX-License-Identifier: GPL-2.0-or-later
// What a command is going to do, as steps that can be shown (--dry-run), done, and undone.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "loader/base/error.h"

namespace vnet {

struct Step {
  std::string text;                      // "create bridge virbr0 (52:54:00:1a:2b:3c)"
  std::function<Result<void>()> apply;   // idempotent: an interrupted command is simply run again
  std::function<void()> undo = nullptr;  // takes apply() back as well as it can; empty: nothing to undo
};

class Plan {
 public:
  void add(Step step) { steps_.push_back(std::move(step)); }
  void add(std::string text, std::function<Result<void>()> apply, std::function<void()> undo = nullptr) {
    steps_.push_back({std::move(text), std::move(apply), std::move(undo)});
  }
  void append(Plan other);
  const std::vector<Step>& steps() const { return steps_; }
  bool empty() const { return steps_.empty(); }

  // All steps in order. When one fails, those done are undone in reverse and its error is returned.
  Result<void> run() const;

  std::string done;                // what to say when it has been done: "Network default started"
  std::vector<std::string> notes;  // what else the user should know then

 private:
  std::vector<Step> steps_;
};

// Something to be seen to, planned when its turn comes: what is done before it may change the facts.
struct Task {
  std::string about;  // "port vnet0"; one that goes on failing is told of once
  std::function<Result<Plan>()> plan;
};

}  // namespace vnet

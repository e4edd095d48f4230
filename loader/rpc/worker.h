// SPDX-License-Identifier: GPL-2.0-or-later
// The thread that makes changes, one after the other, so that nobody else has to wait for them.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "loader/base/error.h"
#include "loader/base/fd.h"

namespace vnet::rpc {

class Worker {
 public:
  using Done = std::function<void()>;  // called by the thread that collects
  using Job = std::function<Done()>;   // called by the worker's

  static Result<std::unique_ptr<Worker>> start();
  ~Worker();  // the job at hand is finished, the others are dropped

  void add(Job job);
  int fd() const { return done_fd_.get(); }  // readable when there is something to collect
  void collect();

 private:
  explicit Worker(Fd done_fd) : done_fd_(std::move(done_fd)), thread_([this] { work(); }) {}
  void work();

  Fd done_fd_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<Job> jobs_;
  std::vector<Done> done_;
  bool stopping_ = false;
  std::thread thread_;  // the last: it uses the others
};

}  // namespace vnet::rpc

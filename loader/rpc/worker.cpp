// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/rpc/worker.h"

#include <sys/eventfd.h>

#include <memory>

namespace vnet::rpc {

Result<std::unique_ptr<Worker>> Worker::start() {
  Fd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return system_error("making an eventfd");
  return std::unique_ptr<Worker>(new Worker(std::move(fd)));
}

Worker::~Worker() {
  {
    std::lock_guard guard(mutex_);
    stopping_ = true;
  }
  wake_.notify_one();
  thread_.join();
}

void Worker::add(Job job) {
  {
    std::lock_guard guard(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void Worker::work() {
  std::unique_lock lock(mutex_);
  while (true) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    Done done = job();
    lock.lock();
    done_.push_back(std::move(done));
    std::uint64_t one = 1;
    (void)!::write(done_fd_.get(), &one, sizeof(one));
  }
}

void Worker::collect() {
  std::uint64_t count = 0;
  (void)!::read(done_fd_.get(), &count, sizeof(count));
  std::vector<Done> all;
  {
    std::lock_guard guard(mutex_);
    all.swap(done_);
  }
  for (auto& done : all) done();
}

}  // namespace vnet::rpc

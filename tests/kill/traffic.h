// SPDX-License-Identifier: GPL-2.0-or-later
// Guests that never stop sending, whatever the host does, and ears that note who hears what of it.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "loader/base/fd.h"
#include "tests/support/namespace.h"
#include "tests/support/packet.h"

namespace vnet::test {

// A frame of ours, as it was heard somewhere.
struct Heard {
  std::string where;   // the name that listen() gave
  std::string sender;  // who sent it: what send_from() put into it
  std::string source;  // its address now
  std::string destination;
  std::uint16_t port = 0;  // where it goes to
  auto operator<=>(const Heard&) const = default;
};

// Everything that is sent is UDP, and says in its data who sent it: a translated frame is known again.
class Traffic {
 public:
  Traffic() = default;
  ~Traffic();
  Traffic(const Traffic&) = delete;
  Traffic& operator=(const Traffic&) = delete;

  void listen(const std::string& name, const Namespace& where, const std::string& interface);
  // One flow in every round, and some that take turns, to the port given.
  void send_from(const std::string& name, const Namespace& where, const std::string& interface,
                 const Packet& headers, std::uint16_t port);
  void begin();

  // What has been heard since the last time, and how often.
  std::map<Heard, int> take();
  std::uint64_t sent() const { return sent_; }

 private:
  struct Sender {
    Fd* fd;
    std::vector<Bytes> frames;
  };
  struct Ear {
    std::string name;
    Fd fd;
  };
  Fd& socket_of(const Namespace& where, const std::string& interface);
  void send_loop();
  void hear_loop();
  void note(const std::string& where, const Bytes& frame);

  std::map<std::string, Fd> sockets_;
  std::vector<Sender> senders_;
  std::vector<Ear> ears_;
  std::mutex mutex_;
  std::map<Heard, int> heard_;
  std::atomic<std::uint64_t> sent_ = 0;
  std::atomic<bool> ended_ = false;
  std::thread sending_, hearing_;
};

}  // namespace vnet::test

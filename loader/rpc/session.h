// SPDX-License-Identifier: GPL-2.0-or-later
// One client's conversation, without its socket: what may be asked now, and what it has registered for.
#pragma once

#include <sys/types.h>

#include <functional>
#include <map>
#include <optional>
#include <string>

#include "loader/rpc/message.h"
#include "loader/rpc/procedures.h"

namespace vnet::rpc {

class Session {
 public:
  struct Peer {
    uid_t uid = 0;
    bool read_only = false;  // it came by the socket for reading
  };
  // A change to be made by another thread; finish() wants its reply.
  struct Pending {
    Header header;
    Call call;
  };
  // What came of a message: bytes to send at once, a change to be made, or the end.
  struct Outcome {
    std::string send;
    std::optional<Pending> pending;
    bool close = false;
  };

  explicit Session(Peer peer) : peer_(peer) {}

  Outcome take(const Message& message, NetworkApi& api);
  static std::string finish(const Header& call, const Reply<std::string>& reply);
  // The messages that the event makes for this client; "": none.
  std::string tell(const NetworkEvent& event) const;

  const Peer& peer() const { return peer_; }
  bool authenticated() const { return authenticated_; }
  // Before and after that: how long a message may be.
  std::size_t longest_message() const;

  // The calls that are about the connection.
  Reply<Nothing> open(const std::optional<std::string>& name, std::uint32_t flags);
  Reply<Nothing> close();
  Reply<std::vector<std::int32_t>> auth_list();
  Reply<std::int32_t> supports_feature(std::int32_t feature);
  Reply<std::string> type();
  Reply<std::string> hostname();
  Reply<std::string> uri();
  Reply<std::int32_t> is_secure();
  Reply<std::uint64_t> library_version();
  Reply<Nothing> register_close_callback();
  Reply<Nothing> unregister_close_callback();
  Reply<Nothing> set_identity(const Parameters& identity, std::uint32_t flags);
  Reply<std::int32_t> register_event(std::int32_t event, const std::optional<Net>& net);
  Reply<Nothing> deregister_event(std::int32_t callback);

 private:
  struct Registration {
    NetworkEvent::Kind kind;
    std::optional<Uuid> network;  // nullopt: all
  };
  Reply<const Procedure*> allowed(const Header& header) const;

  Peer peer_;
  bool authenticated_ = false, opened_ = false, read_only_ = false, close_callback_ = false, closing_ = false;
  std::map<std::int32_t, Registration> registrations_;  // by the number of the callback
  std::int32_t next_callback_ = 0;
};

}  // namespace vnet::rpc

// SPDX-License-Identifier: GPL-2.0-or-later
#include "loader/rpc/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace vnet::rpc {
namespace {

constexpr std::uint32_t open_read_only = 1;
constexpr std::size_t most_registrations = 64;
// A network's XML is below one MiB (XmlDocument); a reader sends names.
constexpr std::size_t longest_unauthenticated = 64 << 10, longest_of_reader = 256 << 10, longest = 4 << 20;

// Of libvirt's virDrvFeature those that this protocol has by itself: descriptors in messages, strings in
// parameters, keepalive, event callbacks, the close callback, and NETWORK_UPDATE's arguments in their order.
constexpr std::array features{8, 9, 10, 14, 15, 16};

enum class Keepalive : std::int32_t { Ping = 1, Pong = 2 };

// As of libvirt 11.3, whose calls these are.
constexpr std::uint64_t protocol_of = 11003000;

std::unexpected<Fault> rpc_fault(std::string message) {
  return fault(Code::Rpc, std::move(message), Domain::Rpc);
}

}  // namespace

std::size_t Session::longest_message() const {
  if (!authenticated_) return longest_unauthenticated;
  return peer_.read_only ? longest_of_reader : longest;
}

// The words decide: from these a client concludes that the call is not supported.
Reply<const Procedure*> Session::allowed(const Header& header) const {
  if (header.program != network_program)
    return rpc_fault(fmt::format("Cannot find program {} version {}", header.program, header.version));
  if (header.version != program_version)
    return rpc_fault(fmt::format("Cannot find version {} of program {}", header.version, header.program));
  const Procedure* procedure = find_procedure(header.procedure);
  if (procedure && procedure->needs != Needs::Nothing && !authenticated_)
    return rpc_fault("authentication required");
  if (!procedure) return rpc_fault(fmt::format("unknown procedure: {}", header.procedure));
  if (procedure->needs == Needs::Opening && !opened_)
    return fault(Code::Internal, "internal error: connection not open", Domain::Rpc);
  if (procedure->changes && (read_only_ || peer_.read_only))
    return fault(Code::OperationDenied,
                 fmt::format("operation forbidden: read only access prevents {}", procedure->name),
                 Domain::None);
  return procedure;
}

Session::Outcome Session::take(const Message& message, NetworkApi& api) {
  const Header& header = message.header;
  if (header.program == keepalive_program) {
    if (header.version != program_version || header.type != MessageType::Event || !message.payload.empty())
      return {.close = true};
    if (header.procedure != static_cast<std::int32_t>(Keepalive::Ping)) return {};
    Header pong = header;
    pong.procedure = static_cast<std::int32_t>(Keepalive::Pong);
    return {.send = make_message(pong, "")};
  }
  if (header.type != MessageType::Call || header.status != Status::Ok) return {.close = true};
  auto procedure = allowed(header);
  if (!procedure) return {.send = finish(header, std::unexpected(std::move(procedure).error()))};
  XdrReader in(message.payload);
  auto call = (*procedure)->bind(in);
  if (!call) return {.close = true};
  if ((*procedure)->changes) return {.pending = Pending{header, std::move(*call)}};
  Outcome outcome{.send = finish(header, (*call)(*this, api))};
  outcome.close = closing_;
  return outcome;
}

std::string Session::finish(const Header& call, const Reply<std::string>& reply) {
  Header header = call;
  header.type = MessageType::Reply;
  header.status = reply ? Status::Ok : Status::Error;
  if (reply) return make_message(header, *reply);
  XdrWriter out;
  encode(out, reply.error());
  return make_message(header, out.take());
}

std::string Session::tell(const NetworkEvent& event) const {
  std::string messages;
  for (const auto& [callback, registration] : registrations_) {
    if (registration.kind != event.kind) continue;
    if (registration.network && *registration.network != event.net.uuid) continue;
    XdrWriter out;
    encode(out, callback);
    encode(out, event.net);
    encode(out, event.detail);
    bool lifecycle = event.kind == NetworkEvent::Kind::Lifecycle;
    if (lifecycle)
      out.u32(0);
    else
      encode(out, event.uri);
    messages += make_message(
        {.procedure = lifecycle ? lifecycle_event : metadata_event, .type = MessageType::Event, .serial = 1},
        out.take());
  }
  return messages;
}

Reply<Nothing> Session::open(const std::optional<std::string>& name, std::uint32_t flags) {
  if (opened_) return fault(Code::Internal, "internal error: connection already open", Domain::Rpc);
  if (flags & ~open_read_only)
    return fault(Code::InvalidArgument, fmt::format("unsupported flags (0x{:x}) in function virConnectOpen",
                                                    flags & ~open_read_only));
  if (name && *name != "network:///system" && *name != "network:///session")
    return fault(Code::NoConnect, fmt::format("no connection driver available for {}", *name), Domain::None);
  read_only_ = flags & open_read_only;
  opened_ = true;
  return Nothing{};
}

Reply<Nothing> Session::close() {
  closing_ = true;
  return Nothing{};
}

// Who may come is a matter of the socket's owner and mode.
Reply<std::vector<std::int32_t>> Session::auth_list() {
  authenticated_ = true;
  return std::vector<std::int32_t>{0};
}

Reply<std::int32_t> Session::supports_feature(std::int32_t feature) {
  return std::ranges::find(features, feature) != features.end() ? 1 : 0;
}

Reply<std::string> Session::type() {
  return "network";
}

Reply<std::string> Session::hostname() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) < 0)
    return fault(Code::Internal, "internal error: the host's name cannot be told");
  return std::string(name.data());
}

Reply<std::string> Session::uri() {
  return "network:///system";
}

Reply<std::int32_t> Session::is_secure() {
  return 1;
}

Reply<std::uint64_t> Session::library_version() {
  return protocol_of;
}

Reply<Nothing> Session::register_close_callback() {
  if (close_callback_)
    return fault(Code::Internal, "internal error: A close callback is already registered", Domain::Rpc);
  close_callback_ = true;
  return Nothing{};
}

Reply<Nothing> Session::unregister_close_callback() {
  if (!close_callback_)
    return fault(Code::Internal, "internal error: A close callback is not registered", Domain::Rpc);
  close_callback_ = false;
  return Nothing{};
}

// For whom a daemon asks: it has judged that itself, and nothing here depends on it.
Reply<Nothing> Session::set_identity(const Parameters&, std::uint32_t flags) {
  if (flags)
    return fault(Code::InvalidArgument,
                 fmt::format("unsupported flags (0x{:x}) in function virConnectSetIdentity", flags));
  return Nothing{};
}

Reply<std::int32_t> Session::register_event(std::int32_t event, const std::optional<Net>& net) {
  using Kind = NetworkEvent::Kind;
  if (event != static_cast<int>(Kind::Lifecycle) && event != static_cast<int>(Kind::Metadata))
    return fault(Code::Internal, fmt::format("internal error: unsupported network event ID {}", event),
                 Domain::Rpc);
  if (registrations_.size() >= most_registrations)
    return fault(Code::Internal, "internal error: too many event callbacks", Domain::Rpc);
  registrations_[next_callback_] = {static_cast<Kind>(event), net ? std::optional(net->uuid) : std::nullopt};
  return next_callback_++;
}

Reply<Nothing> Session::deregister_event(std::int32_t callback) {
  if (!registrations_.erase(callback))
    return fault(Code::Internal,
                 fmt::format("internal error: network event callback {} not registered", callback),
                 Domain::Rpc);
  return Nothing{};
}

}  // namespace vnet::rpc

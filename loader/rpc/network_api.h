// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's calls about networks and their ports, as functions: what they carry on the wire follows from
// their types (procedures.cpp). Those that change something are called by one thread, the others by another.
#pragma once

#include "loader/rpc/values.h"

namespace vnet::rpc {

// What is told to those that have registered for it.
struct NetworkEvent {
  enum class Kind : std::int32_t { Lifecycle = 0, Metadata = 1 };  // libvirt's numbers
  enum Lifecycle : std::int32_t { Defined = 0, Undefined = 1, Started = 2, Stopped = 3 };
  Kind kind = Kind::Lifecycle;
  Net net;
  std::int32_t detail = 0;         // of the lifecycle, or the type of metadata
  std::optional<std::string> uri;  // of a metadata element
};

class NetworkApi {
 public:
  virtual ~NetworkApi() = default;
  template <typename T>
  using In = const T&;

  virtual Reply<std::int32_t> count_active() = 0;
  virtual Reply<std::int32_t> count_defined() = 0;
  virtual Reply<std::vector<std::string>> list_active(std::int32_t most) = 0;
  virtual Reply<std::vector<std::string>> list_defined(std::int32_t most) = 0;
  virtual Reply<Counted<Net>> list_all(std::int32_t need, std::uint32_t flags) = 0;
  virtual Reply<Net> lookup_by_name(In<std::string> name) = 0;
  virtual Reply<Net> lookup_by_uuid(In<Uuid> uuid) = 0;
  virtual Reply<std::string> xml(In<Net> net, std::uint32_t flags) = 0;
  virtual Reply<std::string> bridge_name(In<Net> net) = 0;
  virtual Reply<std::int32_t> autostart(In<Net> net) = 0;
  virtual Reply<std::int32_t> is_active(In<Net> net) = 0;
  virtual Reply<std::int32_t> is_persistent(In<Net> net) = 0;
  virtual Reply<Counted<LeaseRow>> leases(In<Net> net, In<std::optional<std::string>> mac, std::int32_t need,
                                          std::uint32_t flags) = 0;
  virtual Reply<std::string> metadata(In<Net> net, std::int32_t type, In<std::optional<std::string>> uri,
                                      std::uint32_t flags) = 0;
  virtual Reply<Counted<Port>> ports(In<Net> net, std::int32_t need, std::uint32_t flags) = 0;
  virtual Reply<Port> port_by_uuid(In<Net> net, In<Uuid> uuid) = 0;
  virtual Reply<std::string> port_xml(In<Port> port, std::uint32_t flags) = 0;
  virtual Reply<ParameterList> port_parameters(In<Port> port, std::int32_t most, std::uint32_t flags) = 0;

  // Changes.
  virtual Reply<Nothing> start(In<Net> net) = 0;
  virtual Reply<Net> create(In<std::string> xml) = 0;
  virtual Reply<Net> create_flags(In<std::string> xml, std::uint32_t flags) = 0;
  virtual Reply<Net> define(In<std::string> xml) = 0;
  virtual Reply<Net> define_flags(In<std::string> xml, std::uint32_t flags) = 0;
  virtual Reply<Nothing> undefine(In<Net> net) = 0;
  virtual Reply<Nothing> destroy(In<Net> net) = 0;
  virtual Reply<Nothing> set_autostart(In<Net> net, std::int32_t enable) = 0;
  virtual Reply<Nothing> update(In<Net> net, std::uint32_t command, std::uint32_t section,
                                std::int32_t parent_index, In<std::string> xml, std::uint32_t flags) = 0;
  virtual Reply<Nothing> set_metadata(In<Net> net, std::int32_t type, In<std::optional<std::string>> metadata,
                                      In<std::optional<std::string>> key, In<std::optional<std::string>> uri,
                                      std::uint32_t flags) = 0;
  virtual Reply<Port> create_port(In<Net> net, In<std::string> xml, std::uint32_t flags) = 0;
  virtual Reply<Nothing> set_port_parameters(In<Port> port, In<Parameters> parameters,
                                             std::uint32_t flags) = 0;
  virtual Reply<Nothing> delete_port(In<Port> port, std::uint32_t flags) = 0;

  // What has happened since the last call; fd: readable when there may be something; -1: none.
  virtual int events_fd() const = 0;
  virtual std::vector<NetworkEvent> take_events() = 0;
};

}  // namespace vnet::rpc

// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's calls, carried out on this host. Two Hosts, since two threads use them: what only looks never
// waits for a change that is being made.
#pragma once

#include <memory>
#include <mutex>

#include "loader/libvirt/faults.h"
#include "loader/libvirt/network_cache.h"
#include "loader/rpc/network_api.h"

namespace vnet::libvirt {

class NetworkService : public rpc::NetworkApi {
 public:
  // Both of the same state directory.
  static Result<std::unique_ptr<NetworkService>> make(Host reader, Host changer);

  // network_service.cpp
  rpc::Reply<std::int32_t> count_active() override;
  rpc::Reply<std::int32_t> count_defined() override;
  rpc::Reply<std::vector<std::string>> list_active(std::int32_t most) override;
  rpc::Reply<std::vector<std::string>> list_defined(std::int32_t most) override;
  rpc::Reply<rpc::Counted<rpc::Net>> list_all(std::int32_t need, std::uint32_t flags) override;
  rpc::Reply<rpc::Net> lookup_by_name(const std::string& name) override;
  rpc::Reply<rpc::Net> lookup_by_uuid(const rpc::Uuid& uuid) override;
  rpc::Reply<std::string> xml(const rpc::Net& net, std::uint32_t flags) override;
  rpc::Reply<std::string> bridge_name(const rpc::Net& net) override;
  rpc::Reply<std::int32_t> autostart(const rpc::Net& net) override;
  rpc::Reply<std::int32_t> is_active(const rpc::Net& net) override;
  rpc::Reply<std::int32_t> is_persistent(const rpc::Net& net) override;
  rpc::Reply<rpc::Counted<rpc::LeaseRow>> leases(const rpc::Net& net, const std::optional<std::string>& mac,
                                                 std::int32_t need, std::uint32_t flags) override;
  rpc::Reply<std::string> metadata(const rpc::Net& net, std::int32_t type,
                                   const std::optional<std::string>& uri, std::uint32_t flags) override;
  int events_fd() const override { return cache_->fd(); }
  std::vector<rpc::NetworkEvent> take_events() override;

  // network_service_ports.cpp
  rpc::Reply<rpc::Counted<rpc::Port>> ports(const rpc::Net& net, std::int32_t need,
                                            std::uint32_t flags) override;
  rpc::Reply<rpc::Port> port_by_uuid(const rpc::Net& net, const rpc::Uuid& uuid) override;
  rpc::Reply<std::string> port_xml(const rpc::Port& port, std::uint32_t flags) override;
  rpc::Reply<rpc::ParameterList> port_parameters(const rpc::Port& port, std::int32_t most,
                                                 std::uint32_t flags) override;
  rpc::Reply<rpc::Port> create_port(const rpc::Net& net, const std::string& xml,
                                    std::uint32_t flags) override;
  rpc::Reply<rpc::Nothing> set_port_parameters(const rpc::Port& port, const rpc::Parameters& parameters,
                                               std::uint32_t flags) override;
  rpc::Reply<rpc::Nothing> delete_port(const rpc::Port& port, std::uint32_t flags) override;

  // network_service_changes.cpp
  rpc::Reply<rpc::Nothing> start(const rpc::Net& net) override;
  rpc::Reply<rpc::Net> create(const std::string& xml) override { return create_flags(xml, 0); }
  rpc::Reply<rpc::Net> create_flags(const std::string& xml, std::uint32_t flags) override;
  rpc::Reply<rpc::Net> define(const std::string& xml) override { return define_flags(xml, 0); }
  rpc::Reply<rpc::Net> define_flags(const std::string& xml, std::uint32_t flags) override;
  rpc::Reply<rpc::Nothing> undefine(const rpc::Net& net) override;
  rpc::Reply<rpc::Nothing> destroy(const rpc::Net& net) override;
  rpc::Reply<rpc::Nothing> set_autostart(const rpc::Net& net, std::int32_t enable) override;
  rpc::Reply<rpc::Nothing> update(const rpc::Net& net, std::uint32_t command, std::uint32_t section,
                                  std::int32_t parent_index, const std::string& xml,
                                  std::uint32_t flags) override;
  rpc::Reply<rpc::Nothing> set_metadata(const rpc::Net& net, std::int32_t type,
                                        const std::optional<std::string>& metadata,
                                        const std::optional<std::string>& key,
                                        const std::optional<std::string>& uri, std::uint32_t flags) override;

 private:
  NetworkService(Host reader, Host changer) : reader_(std::move(reader)), changer_(std::move(changer)) {}

  rpc::Reply<const KnownNetwork*> find(const rpc::Net& net);     // by its UUID
  rpc::Reply<KnownNetwork> find_to_change(const rpc::Net& net);  // for the thread that changes
  rpc::Reply<KnownNetwork> find_after_change(const std::string& name);
  rpc::Reply<rpc::Nothing> carry_out(const Intent& intent, rpc::Code failed = rpc::Code::Internal);
  rpc::Reply<rpc::Nothing> change(const KnownNetwork& network, Update update);
  rpc::Reply<std::vector<GuestPort>> ports_of(Host& host, const std::string& network);
  rpc::Reply<GuestPort> find_port(Host& host, const rpc::Port& port, const std::string& network);
  rpc::Reply<rpc::Nothing> announce(const GuestPort& port);
  rpc::Reply<rpc::Nothing> withdraw(const GuestPort& port);
  // The tap that the port's guest has already becomes what the port says.
  rpc::Reply<rpc::Nothing> hold(const GuestPort& port);

  Host reader_, changer_;
  std::optional<NetworkCache> cache_;
  std::mutex metadata_mutex_;
  std::vector<rpc::NetworkEvent> metadata_events_;
};

}  // namespace vnet::libvirt

// SPDX-License-Identifier: GPL-2.0-or-later
// libvirt's calls without a host: one network, and what has been called.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "loader/rpc/message.h"
#include "loader/rpc/network_api.h"

namespace vnet::test {

class FakeNetworks : public rpc::NetworkApi {
 public:
  template <typename T>
  using Reply = rpc::Reply<T>;
  using Text = std::string;
  using MaybeText = std::optional<std::string>;

  std::vector<std::string> called;
  rpc::Net net{"default", {1, 2, 3}};
  std::vector<rpc::NetworkEvent> events;

  Reply<std::int32_t> count_active() override { return did("count_active"), 1; }
  Reply<std::int32_t> count_defined() override { return did("count_defined"), 0; }
  Reply<std::vector<Text>> list_active(std::int32_t) override {
    return did("list_active"), std::vector<Text>{net.name};
  }
  Reply<std::vector<Text>> list_defined(std::int32_t) override {
    return did("list_defined"), std::vector<Text>{};
  }
  Reply<rpc::Counted<rpc::Net>> list_all(std::int32_t need, std::uint32_t) override {
    did("list_all");
    return rpc::Counted<rpc::Net>{need ? std::vector{net} : std::vector<rpc::Net>{}, 1};
  }
  Reply<rpc::Net> lookup_by_name(const Text& name) override {
    did("lookup_by_name " + name);
    if (name != net.name) return rpc::fault(rpc::Code::NoNetwork, "Network not found: " + name);
    return net;
  }
  Reply<rpc::Net> lookup_by_uuid(const rpc::Uuid&) override { return did("lookup_by_uuid"), net; }
  Reply<Text> xml(const rpc::Net&, std::uint32_t) override { return did("xml"), Text("<network/>"); }
  Reply<Text> bridge_name(const rpc::Net&) override { return did("bridge_name"), Text("virbr0"); }
  Reply<std::int32_t> autostart(const rpc::Net&) override { return did("autostart"), 1; }
  Reply<std::int32_t> is_active(const rpc::Net&) override { return did("is_active"), 1; }
  Reply<std::int32_t> is_persistent(const rpc::Net&) override { return did("is_persistent"), 1; }
  Reply<rpc::Counted<rpc::LeaseRow>> leases(const rpc::Net&, const MaybeText&, std::int32_t,
                                            std::uint32_t) override {
    did("leases");
    return rpc::Counted<rpc::LeaseRow>{
        {{.interface = "virbr0", .mac = "52:54:00:00:00:01", .address = "192.0.2.1"}}, 1};
  }
  Reply<Text> metadata(const rpc::Net&, std::int32_t, const MaybeText&, std::uint32_t) override {
    return did("metadata"), Text("text");
  }
  Reply<rpc::Counted<rpc::Port>> ports(const rpc::Net&, std::int32_t, std::uint32_t) override {
    return did("ports"), rpc::Counted<rpc::Port>{{{net, {9}}}, 1};
  }
  Reply<rpc::Port> port_by_uuid(const rpc::Net& of, const rpc::Uuid& uuid) override {
    return did("port_by_uuid"), rpc::Port{of, uuid};
  }
  Reply<Text> port_xml(const rpc::Port&, std::uint32_t) override {
    return did("port_xml"), Text("<networkport/>");
  }
  Reply<rpc::ParameterList> port_parameters(const rpc::Port&, std::int32_t, std::uint32_t) override {
    return did("port_parameters"), rpc::ParameterList{{{"inbound.average", 5U}}, 0};
  }
  Reply<rpc::Nothing> start(const rpc::Net&) override { return nothing("start"); }
  Reply<rpc::Net> create(const Text&) override { return did("create"), net; }
  Reply<rpc::Net> create_flags(const Text&, std::uint32_t) override { return did("create_flags"), net; }
  Reply<rpc::Net> define(const Text& xml) override { return did("define " + xml), net; }
  Reply<rpc::Net> define_flags(const Text&, std::uint32_t) override { return did("define_flags"), net; }
  Reply<rpc::Nothing> undefine(const rpc::Net&) override { return nothing("undefine"); }
  Reply<rpc::Nothing> destroy(const rpc::Net&) override { return nothing("destroy"); }
  Reply<rpc::Nothing> set_autostart(const rpc::Net&, std::int32_t) override {
    return nothing("set_autostart");
  }
  Reply<rpc::Nothing> update(const rpc::Net&, std::uint32_t, std::uint32_t, std::int32_t, const Text&,
                             std::uint32_t) override {
    return nothing("update");
  }
  Reply<rpc::Nothing> set_metadata(const rpc::Net&, std::int32_t, const MaybeText&, const MaybeText&,
                                   const MaybeText&, std::uint32_t) override {
    return nothing("set_metadata");
  }
  Reply<rpc::Port> create_port(const rpc::Net& of, const Text&, std::uint32_t) override {
    return did("create_port"), rpc::Port{of, {9}};
  }
  Reply<rpc::Nothing> set_port_parameters(const rpc::Port&, const rpc::Parameters&, std::uint32_t) override {
    return nothing("set_port_parameters");
  }
  Reply<rpc::Nothing> delete_port(const rpc::Port&, std::uint32_t) override { return nothing("delete_port"); }
  int events_fd() const override { return -1; }
  std::vector<rpc::NetworkEvent> take_events() override { return std::exchange(events, {}); }

 private:
  // A server calls by two threads.
  void did(const std::string& what) {
    std::lock_guard guard(mutex_);
    called.push_back(what);
  }
  rpc::Nothing nothing(const std::string& what) { return did(what), rpc::Nothing{}; }

  std::mutex mutex_;
};

// A call as a client writes it.
inline std::string rpc_call(std::int32_t procedure,
                            const std::function<void(rpc::XdrWriter&)>& arguments = {},
                            std::uint32_t serial = 7) {
  rpc::XdrWriter out;
  if (arguments) arguments(out);
  return rpc::make_message({.procedure = procedure, .serial = serial}, out.take());
}

}  // namespace vnet::test

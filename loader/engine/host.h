// SPDX-License-Identifier: GPL-2.0-or-later
// The library's front door: one object for the host (a network namespace and a state directory), one
// function a verb. Verbs that change something return a Plan; the caller shows or runs it, holding lock().
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "loader/base/error.h"
#include "loader/doctor/doctor.h"
#include "loader/explain/explain.h"
#include "loader/model/added_address.h"
#include "loader/model/guest.h"
#include "loader/model/network.h"
#include "loader/model/port_request.h"
#include "loader/observe/allocations.h"
#include "loader/observe/drops.h"
#include "loader/observe/sessions.h"
#include "loader/observe/stats.h"
#include "loader/os/lock.h"
#include "loader/plan/plan.h"
#include "loader/services/leases.h"

namespace vnet {

struct NetworkSummary {
  std::string name, uuid, gateway;
  Mode mode = Mode::Nat;
  bool active = false, autostart = false;
  unsigned ports = 0;
  std::vector<std::string> unguarded;  // "virbr0 gateway-ingress": programs of ours that somebody took away
};

struct NetworkDetails {
  NetworkSummary summary;
  Network network;  // the active one where active, else the definition
  std::vector<std::string> uplinks;
  std::vector<AddedAddress> added;
  bool dnsmasq_running = false;
  std::uint32_t sessions = 0;
  std::vector<std::string> routes;  // routed and open: "PREFIX via ADDRESS", what the next routers must know
  std::optional<bool> shortcut;     // bridged: whether known frames go past the bridge
  std::map<std::string, std::string> xdp;  // by uplink, where a network wants it: how it is done, or why not
  std::map<std::string, std::string> xdp_ports;  // XDP forward, by port: "" or why tc delivers everything
};

struct PortInfo {
  std::string interface, network, type, source, model;  // type: network, bridge, direct
  std::optional<Mac> mac;                               // the fixed one, else the one learned
  bool any_mac = false;                                 // none is fixed: `mac` is one of its guest's
  std::vector<Address> ips;
  bool ip_only = false;
  bool up = true;  // plugged in, and the interface is there and up
  std::vector<std::string> filters, allow;
  Inbound inbound = Inbound::Accept;
  bool isolated = false;
  std::optional<BandwidthPair> bandwidth;
  std::optional<Vlan> vlan;
  bool vlan_held = false;              // by the bridge, which must be VLAN-aware
  bool attached = true;                // false: it is in the network's bridge, and gets no traffic
  std::vector<std::string> unguarded;  // hooks without our program
};

class Host {
 public:
  // state_dir: --state-dir; nullopt: the system's places. verbose: libbpf's messages go to stderr.
  static Result<Host> open(std::optional<std::filesystem::path> state_dir, bool verbose);
  Host(Host&&) noexcept;
  Host& operator=(Host&&) noexcept;
  ~Host();

  // Exclusive, until the returned value goes; every verb that changes something holds it from planning on.
  Result<Lock> lock(const std::string& verb);

  Result<Plan> define(const std::string& xml, const std::string& file_name);
  Result<Plan> undefine(const std::string& name);
  Result<Plan> start(const std::string& name);
  Result<Plan> stop(const std::string& name);
  Result<Plan> autostart(const std::string& name, bool enable);
  Result<Plan> up(const std::optional<std::string>& xml, const std::string& file_name);  // define + start
  Result<Plan> attach(const std::vector<PortRequest>& requests);  // all to one network, or none
  // The same request for every guest's interface that is in the network's bridge; its `interface` is not
  // used.
  Result<Plan> attach_members(const PortRequest& request);
  Result<Plan> set(const PortRequest& request);
  Result<Plan> detach(const std::string& interface);
  // The block list; works without active networks, too.
  Result<Plan> block(const std::vector<Prefix>& prefixes);
  Result<Plan> unblock(const std::vector<Prefix>& prefixes);

  // For `run` (host_run.cpp). run_lock: for as long as it runs; Failed when another one has it.
  Result<Lock> run_lock();
  Result<std::set<std::string>> autostart_networks();
  // What is to be done now, in order. Of the networks that are wanted, those that are active are taken off.
  Result<std::vector<Task>> tasks(std::set<std::string>& wanted);
  Result<std::vector<pid_t>> service_pids();  // whose end is a reason to look again

  // Whether all that is attached stands as it was put up; cheap, and without the lock.
  Result<bool> is_guarded();

  // For a hypervisor's hook (host_guest.cpp).
  Result<std::string> network_of(const std::string& interface);  // whose bridge it is in; "": nobody's
  std::vector<Task> plug_in(const GuestInterface& card, const std::string& network);
  Result<std::vector<Task>> forget_gone();  // ports whose interface does not exist any more

  Result<std::vector<NetworkSummary>> list();  // active and inactive
  Result<NetworkDetails> show(const std::string& name);
  Result<std::vector<Prefix>> blocked();  // in order
  Result<std::vector<LeaseEntry>> leases(const std::string& name);
  Result<std::vector<PortInfo>> ports(const std::optional<std::string>& network);
  // NotFound when the network or port asked for is not there.
  Result<Stats> stats(const std::optional<std::string>& network, const std::optional<std::string>& port);
  Result<std::vector<SessionInfo>> flows(const std::optional<std::string>& network);
  Result<Allocations> allocations();
  // NotFound when the network or port of the filter is not there; Invalid for an unknown reason.
  Result<DropWatch> watch_drops(const DropFilter& filter);
  // To be called at each reading of stats(), with the same object: networks come and go meanwhile.
  void count_losses(LossCount& count);
  Result<Explanation> explain(const Question& question);
  // How many ports each active network may masquerade to; 0: it does not.
  Result<std::map<std::string, unsigned>> pool_sizes();
  Result<Findings> doctor();

 private:
  struct State;
  explicit Host(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// As `dumpxml` of libvirt's writes it.
std::string network_xml(const Network& network);
// The cards in a guest's domain XML, as a hypervisor's hook gets it.
Result<std::vector<GuestInterface>> guest_interfaces(std::string_view domain_xml);

}  // namespace vnet

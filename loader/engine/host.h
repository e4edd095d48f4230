// SPDX-License-Identifier: GPL-2.0-or-later
// The library's front door: one object for the host (a network namespace and a state directory). What only
// looks is asked of it; what changes something is done in a Transaction, which holds the lock.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "loader/base/error.h"
#include "loader/doctor/doctor.h"
#include "loader/engine/transaction.h"
#include "loader/engine/views.h"
#include "loader/explain/explain.h"
#include "loader/model/announcement.h"
#include "loader/model/guest.h"
#include "loader/model/guest_port.h"
#include "loader/model/port_state.h"
#include "loader/model/section_update.h"
#include "loader/observe/allocations.h"
#include "loader/observe/drops.h"
#include "loader/observe/sessions.h"
#include "loader/observe/stats.h"
#include "loader/os/lock.h"
#include "loader/plan/intent.h"
#include "loader/plan/plan.h"
#include "loader/services/leases.h"

namespace vnet {

class Host {
 public:
  // state_dir: --state-dir; nullopt: the system's places. verbose: libbpf's messages go to stderr.
  static Result<Host> open(std::optional<std::filesystem::path> state_dir, bool verbose);
  Host(Host&&) noexcept;
  Host& operator=(Host&&) noexcept;
  ~Host();

  // The layout of the running datapath's maps (maps/abi.h); 0: nothing runs.
  unsigned layout() const;
  // Failed, with what to do: nothing can be read of a layout that this version does not know.
  Result<void> check_readable() const;

  // Waits for the lock. verb: what others are told that wait for it.
  Result<Transaction> begin(const std::string& verb);
  // What a transaction would do now (--dry-run): without the lock, which would make folders.
  Result<Plan> plan(const Intent& intent);

  // For `run`. run_lock: for as long as it runs; Failed when another one has it.
  Result<Lock> run_lock();
  Result<std::set<std::string>> autostart_networks();
  Result<std::vector<pid_t>> service_pids();  // whose end is a reason to look again
  // Whether all that is attached stands as it was put up; cheap, and without the lock.
  Result<bool> is_guarded();

  // For a hypervisor's hook: the network whose bridge the interface is in; "": none's.
  Result<std::string> network_of(const std::string& interface);

  // For libvirt's calls: networks as they are written down, cheaper than list().
  Result<std::vector<KnownNetwork>> known_networks();
  Result<std::vector<LeaseEntry>> leases(const Network& network);
  Result<std::vector<GuestPort>> guest_ports();
  // Those without an interface for so long: their guest has ended, and nobody was there to be told.
  Result<std::vector<GuestPort>> stale_guest_ports(std::chrono::seconds age);
  // A file in one of these changes with every network that is defined, started, stopped or undefined.
  std::vector<std::filesystem::path> record_folders() const;
  std::filesystem::path runtime_folder() const;
  Result<void> make_folders();

  Result<std::vector<NetworkSummary>> list();  // active and inactive
  Result<NetworkDetails> show(const std::string& name);
  Result<Network> definition(const std::string& name);  // as it is stored
  Result<std::vector<Prefix>> blocked();                // in order
  Result<std::vector<ForwardInfo>> forwards(const std::optional<std::string>& network);
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
  // What goes with a guest to another host: a JSON document.
  Result<std::string> export_port(const std::string& interface);
  Result<Plan> plan_import(const PortState& state);
  // What the running networks would announce, and what FRR has of it.
  Result<AnnouncedView> announced();
  Result<std::vector<std::string>> plan_announcements();  // what FRR would be told
  Result<bool> may_be_announced();                        // false: nothing asks for it; cheap

 private:
  struct State;
  friend class Transaction;
  explicit Host(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// A definition as the user wrote it, and as `virsh net-dumpxml` would write it.
Result<Network> read_network(std::string_view xml, const std::string& file_name,
                             std::vector<std::string>* ignored);
std::string network_xml(const Network& network);
// With one element added, changed or deleted; what `update` does, and whatever else changes a part of a
// definition: Update{.name = ..., .change = [=](const Network& n) { return update_network(n, section); }}.
Result<Network> update_network(const Network& network, const SectionUpdate& section);
std::vector<std::string> update_sections();  // by name
// With one port forward more; Failed: another is in its way.
Result<Network> add_forward(const Network& network, const PortForward& forward);
// Without those, of both families, of this protocol, these ports and this `listen`. NotFound: there is none.
Result<Network> remove_forward(const Network& network, const PortForward& named);
// What programs keep in a definition; of Element: the XML of that namespace's. nullopt: there is none.
Result<std::optional<std::string>> network_metadata(const Network& network, MetadataKind kind,
                                                    const std::string& uri);
Result<Network> network_with_metadata(const Network& network, MetadataKind kind,
                                      const std::optional<std::string>& value, const std::string& key,
                                      const std::string& uri);
// A card as its hypervisor announces it, the answer, and the limits in its XML.
Result<GuestPortXml> read_guest_port(std::string_view xml);
Result<std::string> guest_port_answer(const GuestPort& port, const Network& network,
                                      const std::string& parent);
Result<BandwidthValues> guest_port_bandwidth(std::string_view xml);
Result<std::string> guest_port_with_bandwidth(std::string_view xml, const BandwidthValues& values);
// What Host::export_port() wrote, maybe elsewhere.
Result<PortState> read_port(std::string_view text, const std::string& file_name);
// The cards in a guest's domain XML, as a hypervisor's hook gets it.
Result<std::vector<GuestInterface>> guest_interfaces(std::string_view domain_xml);
// What such a card asks for. Invalid: a <filterref> that there is nothing like here.
Result<PortRequest> request_of(const GuestInterface& card, const std::string& network);

}  // namespace vnet

// SPDX-License-Identifier: GPL-2.0-or-later
// The datapath a second time, for trying things out: each program that is attached, loaded anew with the
// same constants, on copies of the maps. Whatever it does to sessions and counters happens to the copies.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "loader/bpf/datapath.h"
#include "loader/bpf/program_run.h"
#include "loader/bpf/shared_maps.h"

struct bpf_object;

namespace vnet {

struct DropSeen {
  std::uint16_t slot = 0;
  unsigned reason = 0;  // enum vnet_reason
};

struct ShadowRun {
  int verdict = 0;  // TC_ACT_* or XDP_*
  std::vector<std::uint8_t> packet;
  std::array<std::uint32_t, 5> cb{};
  std::optional<DropSeen> drop;  // dropped, or refused with an answer
};

struct EmbeddedObject {
  std::function<const void*(std::size_t* size)> bytes;
  // Where in its constants it is told that this is a rehearsal, if it can send more than the one packet.
  std::optional<std::size_t> rehearsal;
};

class Shadow {
 public:
  // live must outlive it.
  static Result<Shadow> make(Datapath& live);
  Shadow(Shadow&&) noexcept;
  ~Shadow();

  // Copies everything as it is now; of the sessions and fragments only those that one of the addresses has
  // part in. To be called before each packet.
  Result<void> copy_state(const std::set<Address>& addresses);
  const SharedMaps& maps() const { return maps_; }

  // Runs what is attached there. Without a value: nothing of ours is.
  Result<std::optional<ShadowRun>> run(const std::string& interface, unsigned hook, const RunInput& input);
  Result<std::optional<ShadowRun>> run_xdp(const std::string& interface, RunInput input);
  // What was run is what is attached; false: the attached program is another version's.
  bool same_program() const { return same_program_; }

 private:
  struct Close {
    void operator()(bpf_object* object) const;
  };
  using Object = std::unique_ptr<bpf_object, Close>;
  struct Loaded {
    Object object;
    int fd = -1;
  };

  explicit Shadow(Datapath& live) : live_(&live) {}
  Result<void> make_maps();
  Result<std::optional<ShadowRun>> run_copy(const Fd& attached, const RunInput& input);
  Result<Loaded> load(int live_program);
  Result<Loaded> load_from(const EmbeddedObject& embedded, const char* name, std::vector<char> constants);

  Datapath* live_;
  Object templates_;  // whose maps are the shared ones
  SharedMaps maps_;
  std::map<__u32, Loaded> programs_;  // by the live program's id
  ProgramRunner runner_;
  bool same_program_ = true;
};

}  // namespace vnet

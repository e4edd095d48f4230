// SPDX-License-Identifier: GPL-2.0-or-later
// Watching drops: names to numbers on the way down, numbers to names on the way up.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <time.h>

#include <algorithm>

#include "loader/engine/host_state.h"
#include "loader/model/drop_reason.h"
#include "loader/observe/kernel_reasons.h"
#include "loader/observe/losses.h"
#include "loader/observe/monitor.h"
#include "loader/os/kernel_symbols.h"

namespace vnet {
namespace {

std::uint64_t nanoseconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

// The bytes as they were on the wire: a tag that the kernel keeps apart is put back.
std::vector<std::uint8_t> wire_bytes(const vnet_event& event, bool ethernet) {
  std::vector<std::uint8_t> bytes(
      event.bytes, event.bytes + std::min<std::size_t>(event.head.captured, sizeof(event.bytes)));
  if (!event.head.vlan_proto_be || !ethernet || bytes.size() < 12) return bytes;
  std::uint16_t protocol = ntohs(event.head.vlan_proto_be), tag = event.head.vlan_tci;
  std::uint8_t put[] = {static_cast<std::uint8_t>(protocol >> 8), static_cast<std::uint8_t>(protocol),
                        static_cast<std::uint8_t>(tag >> 8), static_cast<std::uint8_t>(tag)};
  bytes.insert(bytes.begin() + 12, std::begin(put), std::end(put));
  return bytes;
}

// What bpf/lost.bpf.c tells: the stack's drops, and those of the fence, which stands in the stack.
constexpr std::uint64_t host_reasons = std::uint64_t{1} << VNET_DROP_HOST_FIREWALL |
                                       std::uint64_t{1} << VNET_DROP_HOST_STACK |
                                       std::uint64_t{1} << VNET_DROP_NO_WAY_OUT;

Result<std::uint64_t> reason_mask(const std::vector<std::string>& words) {
  std::uint64_t mask = 0;
  for (const auto& word : words) {
    auto reason = reason_number(word);
    if (!reason) {
      std::vector<const char*> known;
      for (unsigned each = 1; each < VNET_DROP_MAX; ++each) known.push_back(reason_word(each));
      return invalid(fmt::format("--reason: '{}' is not one of {}", word, fmt::join(known, ", ")));
    }
    mask |= std::uint64_t{1} << *reason;
  }
  return mask;
}

}  // namespace

struct DropWatch::State {
  System& system;
  Monitor monitor;
  std::optional<KernelReasons> reasons;
  KernelSymbols symbols;
  std::optional<Losses> losses;
  std::optional<Error> blind;
  std::uint64_t epoch = nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_MONOTONIC);
  std::map<std::uint16_t, std::string> slots;
  std::map<std::uint32_t, std::pair<std::string, bool>> links;  // name, whether Ethernet
  std::uint64_t names_read = 0;

  // Everything else is seen without it: on a kernel without BTF, or one that is locked down.
  Result<void> watch_stack() {
    VNET_ASSIGN(reasons, KernelReasons::load());
    VNET_ASSIGN(losses, Losses::start(*system.datapath, *reasons, monitor.place()));
    return {};
  }

  // Networks, ports and interfaces come and go while we watch.
  void read_names() {
    slots.clear();
    links.clear();
    if (auto networks = system.records.networks())
      for (const auto& record : *networks) slots[record.slot] = record.name;
    if (auto ports = system.records.ports())
      for (const auto& record : *ports) slots[record.slot] = record.interface;
    if (auto all = system.netlink.links())
      for (const auto& link : *all)
        links[static_cast<std::uint32_t>(link.ifindex)] = {link.name, link.ethernet};
    names_read = nanoseconds(CLOCK_MONOTONIC);
  }

  void tell_cause(Drop& drop, const vnet_cause& cause) {
    if (!reasons) return;
    drop.kernel_reason = reasons->name(cause.reason);
    if (reasons->is_unspecified(cause.reason)) drop.kernel_function = symbols.function_at(cause.location);
  }

  Drop describe(const vnet_event& event, const vnet_cause* cause) {
    const vnet_event_head& head = event.head;
    // Once a second at the most: a flood from an interface that has gone shall not make us read all the time.
    if (!links.contains(head.ifindex) || (head.port && !slots.contains(head.port)) ||
        (head.network && !slots.contains(head.network)))
      if (nanoseconds(CLOCK_MONOTONIC) - names_read > 1'000'000'000) read_names();
    auto slot_name = [&](std::uint16_t slot) {
      auto found = slots.find(slot);
      return slot && found != slots.end() ? found->second : std::string();
    };
    auto link = links.find(head.ifindex);
    Drop drop{.time_ns = head.time + epoch,
              .hook = hook_word(head.hook),
              .reason = reason_word(head.reason),
              .interface = link != links.end() ? link->second.first : fmt::format("if{}", head.ifindex),
              .network = slot_name(head.network),
              .port = slot_name(head.port),
              .length = head.length,
              // The stack's begin with the IP header.
              .ethernet = !cause && (link == links.end() || link->second.second)};
    if (cause) tell_cause(drop, *cause);
    drop.bytes = wire_bytes(event, drop.ethernet);
    if (head.vlan_proto_be && drop.ethernet) drop.length += 4;
    drop.packet = view_packet(drop.bytes, drop.ethernet);
    return drop;
  }
};

DropWatch::DropWatch(std::unique_ptr<State> state) : state_(std::move(state)) {}
DropWatch::DropWatch(DropWatch&&) noexcept = default;
DropWatch::~DropWatch() = default;

std::uint64_t DropWatch::not_shown() const {
  return state_->monitor.lost();
}

const std::optional<Error>& DropWatch::blind() const {
  return state_->blind;
}

Result<void> DropWatch::wait(std::chrono::milliseconds limit, const std::function<void(const Drop&)>& visit) {
  if (state_->losses) state_->losses->count();
  VNET_TRY(state_->monitor.poll(limit, [&](const vnet_event& event, const vnet_cause* cause) {
    visit(state_->describe(event, cause));
  }));
  std::error_code error;
  if (!std::filesystem::exists(state_->system.dirs.pins() / "maps" / "readers", error))
    return failed("the last network has been stopped: nothing is left to watch");
  return {};
}

Result<DropWatch> Host::watch_drops(const DropFilter& filter) {
  MonitorFilter numbers{.per_second = filter.per_second};
  VNET_ASSIGN(numbers.reasons, reason_mask(filter.reasons));
  if (filter.network) {
    VNET_ASSIGN(auto record, state_->system.records.network(*filter.network));
    if (!record) return not_found(fmt::format("no active network with matching name '{}'", *filter.network));
    numbers.network = record->slot;
  }
  if (filter.port) {
    VNET_ASSIGN(auto record, state_->system.records.port(*filter.port));
    if (!record) return not_found(fmt::format("{} is not attached to any network", *filter.port));
    numbers.port = record->slot;
  }
  if (!state_->system.datapath) return failed("no network is active: nothing to watch");
  VNET_ASSIGN(auto monitor, Monitor::start(state_->system.datapath->maps(), numbers));
  auto state = std::make_unique<DropWatch::State>(state_->system, std::move(monitor));
  state->read_names();
  if (!numbers.reasons || numbers.reasons & host_reasons)
    if (auto watched = state->watch_stack(); !watched) state->blind = std::move(watched.error());
  return DropWatch(std::move(state));
}

struct LossCount::State {
  Losses losses;
};
LossCount::LossCount() = default;
LossCount::LossCount(LossCount&&) noexcept = default;
LossCount::~LossCount() = default;

namespace {

Result<Losses> start_counting(Datapath& datapath) {
  VNET_ASSIGN(auto reasons, KernelReasons::load());
  return Losses::start(datapath, reasons, std::nullopt);
}

}  // namespace

void Host::count_losses(LossCount& count) {
  auto& datapath = state_->system.datapath;
  if (count.state_ && (!datapath || !count.state_->losses.watches(datapath->maps()))) count.state_.reset();
  count.blind_.reset();
  if (!datapath) return;
  if (!count.state_) {
    auto losses = start_counting(*datapath);
    if (!losses) {
      count.blind_ = std::move(losses.error());
      return;
    }
    count.state_ = std::make_unique<LossCount::State>(std::move(*losses));
  }
  count.state_->losses.count();
}

}  // namespace vnet

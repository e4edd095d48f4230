// SPDX-License-Identifier: GPL-2.0-or-later
// What must hold of every plan, tried with thousands of random hosts: intents, changes that others make, and
// commands that are killed after any change.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/network_samples.h"
#include "tests/support/simulated_host.h"
#include "tests/support/with_settings.h"

namespace vnet {
namespace {

PortForward forward(unsigned port, const Address& to) {
  PortForward one;
  one.proto = "tcp";
  one.ports = {static_cast<std::uint16_t>(port), static_cast<std::uint16_t>(port)};
  one.to = to;
  one.to_port = 80;
  return one;
}

using test::SimulatedHost;

class Dice {
 public:
  explicit Dice(unsigned seed) : engine_(seed) {}
  std::size_t below(std::size_t limit) { return engine_() % limit; }
  bool one_in(std::size_t n) { return below(n) == 0; }
  std::string network() {
    auto chosen = test::network_samples().begin();
    std::advance(chosen, below(test::network_samples().size()));
    return chosen->first;
  }
  std::string guest() { return "g" + std::to_string(1 + below(6)); }

 private:
  std::mt19937 engine_;
};

// The sample with one or two things that are otherwise: what an earlier one had changed is back.
Network another_definition(const SimulatedHost& host, Dice& dice) {
  Network network = *host.snapshot.definition(dice.network());
  for (std::size_t count = dice.below(3); count; --count) {
    bool gateway = has_gateway(network);
    switch (dice.below(12)) {
      case 10:
        if (gateway) network.zone = "internal";
        break;
      case 11:
        network.settings.host_firewall = HostFirewall::Honor;
        break;
      case 0:
        network.settings.inbound = Inbound::Drop;
        break;
      case 1:
        network.isolated_ports = true;
        break;
      case 2:
        network.settings.max_sessions = 1000;
        break;
      case 3:
        if (network.mode == Mode::Nat) network.nat.ports = {20000, 30000};
        break;
      case 4:
        if (gateway)
          network.settings.port_forwards = {forward(1 + dice.below(3), network.ips[0].gateway.address)};
        break;
      case 5:
        if (gateway)
          network.ips.push_back(
              {.gateway = *Prefix::parse(dice.one_in(2) ? "10.77.0.1/24" : "fd00:77::1/64")});
        break;
      case 6:
        if (gateway) network.dns.hosts = {{network.ips[0].gateway.address, {"gateway"}}};
        break;
      case 7:
        if (gateway)
          network.domain = DnsDomain{.name = "lab", .local_only = true, .register_ = dice.one_in(2)};
        break;
      case 8:
        if (is_direct(network)) network.devices = {"eth1", "eth2"};
        if (network.mode == Mode::Route) network.devices = {"eth2"};
        break;
      default:
        if (gateway) network.settings.host_access = HostAccess::None;
    }
  }
  return test::with_settings(network);
}

Intent random_intent(const SimulatedHost& host, Dice& dice) {
  if (dice.one_in(3)) {
    Network network = another_definition(host, dice);
    return Apply{.name = network.name, .active = network, .definition = {}};
  }
  switch (dice.below(8)) {
    case 0:
    case 1:
      return Start{dice.network()};
    case 2:
      return Stop{dice.network()};
    case 3:
    case 4:
      return Attach{{{.interface = dice.guest(), .network = dice.network(), .isolated = dice.one_in(2)}}};
    case 5:
      return SetPort{{.interface = dice.guest(), .isolated = dice.one_in(2), .link_up = !dice.one_in(3)}};
    case 6:
      return Detach{dice.guest()};
    default:
      return Follow{};
  }
}

// What others do.
void disturb(SimulatedHost& host, Dice& dice) {
  Snapshot& s = host.snapshot;
  std::string guest = dice.guest();
  switch (dice.below(10)) {
    case 8:  // rules are written anew, or by others behind ours
      for (auto& state : s.passes)
        if (dice.one_in(2))
          state.rules.clear();
        else
          state.in_place = dice.one_in(2);
      return;
    case 9:  // firewalld is started anew, or tells the administrator's word
      s.firewalld->zone_of.clear();
      if (dice.one_in(3)) s.firewalld->zone_of["virbr0"] = "internal";
      return;
    case 0:
      s.guarded_ports.erase(guest);
      return;
    case 1:
      s.guarded_uplinks.erase("eth0");
      return;
    case 2:
      s.fence = false;
      return;
    case 3:
      s.services.clear();
      return;
    case 4:
      if (!s.active.empty())
        if (const auto& active = s.active[dice.below(s.active.size())]; has_gateway(active.network))
          host.remove_link(active.network.bridge);
      return;
    case 5: {  // the guest is started anew
      host.remove_link(guest);
      host.add_link({.name = guest, .kind = "tun", .mtu = 1500, .ethernet = true, .tun_type = "tap"});
      return;
    }
    case 6:
      s.addresses[host.link("eth0").ifindex] = {
          {.prefix = *Prefix::parse("192.0.2." + std::to_string(2 + dice.below(9)) + "/24")}};
      return;
    default:
      if (!s.active.empty()) {
        const auto& active = s.active[dice.below(s.active.size())];
        if (const LinkInfo* bridge = s.link(active.network.bridge); bridge && !is_direct(active.network))
          host.link(guest).master = bridge->ifindex;
      }
  }
}

void define_all(SimulatedHost& host) {
  host.add_services();
  for (const auto& [name, xml] : test::network_samples()) host.define(xml);
}

std::string described(const std::vector<Step>& steps) {
  std::string all;
  for (const auto& step : steps) all += "  " + step.about + ": " + text(step.change) + "\n";
  return all;
}

void expect_converged(SimulatedHost& host, unsigned seed) {
  bool done = host.follow();
  auto left = make_plan(host.snapshot, Follow{});
  ASSERT_TRUE(left);
  ASSERT_TRUE(done) << "seed " << seed << " goes on with\n" << described(left->steps);
  auto wanted = desired(host.snapshot, Follow{});
  ASSERT_TRUE(wanted);
  EXPECT_TRUE(observe(host.snapshot) == wanted->resources) << "seed " << seed;
}

TEST(PlanProperties, TheNextDiffConvergesWhateverHappened) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    Dice dice(seed);
    SimulatedHost host;
    define_all(host);
    for (int action = 0; action < 12; ++action) {
      if (dice.one_in(3)) disturb(host, dice);
      auto plan = make_plan(host.snapshot, random_intent(host, dice));
      if (plan) host.apply(plan->steps, dice.one_in(2) ? dice.below(plan->steps.size() + 1) : SIZE_MAX);
    }
    expect_converged(host, seed);
    if (testing::Test::HasFailure()) return;
  }
}

// The same command again, after it was killed anywhere, gives what it would have given.
TEST(PlanProperties, AKilledCommandIsFinishedByTheNext) {
  for (unsigned seed = 0; seed < 400; ++seed) {
    Dice dice(seed);
    SimulatedHost host;
    define_all(host);
    for (int action = 0; action < 6; ++action) (void)host.run(random_intent(host, dice));
    ASSERT_TRUE(host.follow());
    Intent intent = random_intent(host, dice);
    auto plan = make_plan(host.snapshot, intent);
    if (!plan) continue;
    SimulatedHost undisturbed = host;
    undisturbed.apply(plan->steps);
    ASSERT_TRUE(undisturbed.follow());
    for (std::size_t killed = 0; killed < plan->steps.size(); ++killed) {
      SimulatedHost again = host;
      again.apply(plan->steps, killed);
      (void)again.run(intent);  // or says that it has been done
      ASSERT_TRUE(again.follow());
      EXPECT_TRUE(observe(again.snapshot) == observe(undisturbed.snapshot))
          << "seed " << seed << " killed after " << killed << " of\n"
          << described(plan->steps);
      if (testing::Test::HasFailure()) return;
    }
  }
}

// Killed anywhere, and without being run again, it ends with one of the two definitions: all of it.
TEST(PlanProperties, AKilledApplyIsOneOfTheTwoDefinitions) {
  unsigned tried = 0;
  for (unsigned seed = 0; seed < 1500; ++seed) {
    Dice dice(seed);
    SimulatedHost host;
    define_all(host);
    for (int action = 0; action < 8; ++action) (void)host.run(random_intent(host, dice));
    ASSERT_TRUE(host.follow());
    Network network = another_definition(host, dice);
    auto plan = make_plan(host.snapshot, Apply{.name = network.name, .active = network, .definition = {}});
    if (!plan || plan->empty()) continue;
    ++tried;
    SimulatedHost changed = host;
    changed.apply(plan->steps);
    ASSERT_TRUE(changed.follow());
    for (std::size_t killed = 0; killed <= plan->steps.size(); ++killed) {
      SimulatedHost again = host;
      again.apply(plan->steps, killed);
      ASSERT_TRUE(again.follow());
      const SimulatedHost& one =
          again.snapshot.network(network.name)->record.xml == host.snapshot.network(network.name)->record.xml
              ? host
              : changed;
      EXPECT_TRUE(observe(again.snapshot) == observe(one.snapshot));
      EXPECT_EQ(again.made, one.made);
      EXPECT_EQ(test::addresses_of(again), test::addresses_of(one));
      EXPECT_TRUE(std::ranges::is_permutation(again.snapshot.subnets, one.snapshot.subnets));
      if (testing::Test::HasFailure()) {
        FAIL() << "seed " << seed << " killed after " << killed << " of\n" << described(plan->steps);
      }
    }
  }
  EXPECT_GT(tried, 100U);
}

TEST(PlanProperties, NoPrefixOfAPlanExposesAGuest) {
  for (unsigned seed = 0; seed < 3000; ++seed) {
    Dice dice(seed);
    SimulatedHost host;
    define_all(host);
    for (int action = 0; action < 10; ++action) {
      auto plan = make_plan(host.snapshot, random_intent(host, dice));
      if (!plan) continue;
      for (const auto& step : plan->steps) {
        host.apply(step.change);
        ASSERT_EQ("", host.exposed()) << "seed " << seed << " after '" << text(step.change) << "' of\n"
                                      << described(plan->steps);
      }
    }
  }
}

TEST(PlanProperties, NoChangeRepeats) {
  for (unsigned seed = 0; seed < 1000; ++seed) {
    Dice dice(seed);
    SimulatedHost host;
    define_all(host);
    for (int action = 0; action < 10; ++action) {
      auto plan = make_plan(host.snapshot, random_intent(host, dice));
      if (!plan) continue;
      std::set<std::string> seen;
      for (const auto& step : plan->steps)
        EXPECT_TRUE(seen.insert(step.about + text(step.change)).second) << "seed " << seed << "\n"
                                                                        << described(plan->steps);
      host.apply(plan->steps);
      auto again = make_plan(host.snapshot, Follow{});
      ASSERT_TRUE(again);
    }
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace vnet

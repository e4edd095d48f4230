// SPDX-License-Identifier: GPL-2.0-or-later
// What another build has loaded: found, replaced in one order, and finished by whoever comes next.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/network_samples.h"
#include "tests/support/simulated_host.h"

namespace vnet {
namespace {

using test::SimulatedHost;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

class PlanUpgradeTest : public testing::Test {
 protected:
  // Everything runs, and everything is another build's.
  PlanUpgradeTest() {
    for (const char* mode : {"nat", "bridge", "direct"}) {
      host_.define(test::network_samples().at(mode));
      EXPECT_TRUE(host_.run(Start{mode}));
    }
    EXPECT_TRUE(host_.run(Attach{{{.interface = "g1", .network = "nat"}}}));
    EXPECT_TRUE(host_.follow());
    host_.snapshot.outdated = {.networks = {"bridge", "nat"},
                               .uplinks = {"eth0"},
                               .parents = {"eth1"},
                               .limits = {"g1"},
                               .fence = true,
                               .socket_redirect = true};
  }
  void move_layout(unsigned layout) { host_.snapshot.outdated.layout = layout; }
  std::vector<std::string> texts(const Intent& intent) {
    auto plan = make_plan(host_.snapshot, intent);
    if (!plan) return {plan.error().message};
    std::vector<std::string> all;
    for (const auto& step : plan->steps) all.push_back(text(step.change));
    return all;
  }

  SimulatedHost host_;
};

TEST_F(PlanUpgradeTest, ReplacesWhatIsOutdated) {
  EXPECT_THAT(texts(Upgrade{}),
              ElementsAre("keep what is replaced until all of it is",
                          "replace the programs of network bridge", "replace the programs of network nat",
                          "replace the programs at eth1 and its ports", "replace the programs of uplink eth0",
                          "move the bandwidth of g1 into its programs", "replace the fence at FORWARD",
                          "replace the programs that lead the host itself to port forwards",
                          "let go of what has been replaced"));
  ASSERT_TRUE(host_.run(Upgrade{}));
  EXPECT_THAT(texts(Upgrade{}), IsEmpty());
}

TEST_F(PlanUpgradeTest, ReplacesNothingElse) {
  host_.snapshot.outdated = {.networks = {"nat"}};
  EXPECT_THAT(texts(Upgrade{}),
              ElementsAre("keep what is replaced until all of it is", "replace the programs of network nat",
                          "let go of what has been replaced"));
}

TEST_F(PlanUpgradeTest, OtherCommandsReplaceNothing) {
  EXPECT_THAT(texts(Follow{}), IsEmpty());
  EXPECT_THAT(texts(Attach{{{.interface = "g2", .network = "nat"}}}), Not(Contains(HasSubstr("replace"))));
}

TEST_F(PlanUpgradeTest, MovesTheMapsFirstAndTheRestOnBothSidesOfTheUplinks) {
  move_layout(VNET_ABI_VERSION - 1);
  auto all = texts(Upgrade{});
  std::string moves = "move the maps from layout " + std::to_string(VNET_ABI_VERSION - 1) + " to layout " +
                      std::to_string(VNET_ABI_VERSION);
  EXPECT_THAT(all,
              ElementsAre(moves, HasSubstr("network bridge"), HasSubstr("network nat"), HasSubstr("eth1"),
                          "move what has been written meanwhile", HasSubstr("uplink eth0"),
                          "move what has been written meanwhile", HasSubstr("bandwidth of g1"),
                          HasSubstr("fence"), HasSubstr("host itself"), "let go of what has been replaced"));
}

TEST_F(PlanUpgradeTest, AnOlderLayoutIsOnlyReadUntilThen) {
  move_layout(VNET_ABI_VERSION - 1);
  for (const Intent& intent : std::initializer_list<Intent>{Follow{}, Start{"nat"}, Detach{"g1"}, Up{}})
    EXPECT_THAT(texts(intent), ElementsAre(HasSubstr("run `vnet-bpf upgrade` first")));
  EXPECT_TRUE(host_.run(Autostart{"nat"}));
}

TEST_F(PlanUpgradeTest, ANewerLayoutIsTakenBackByItsOwnVersion) {
  move_layout(VNET_ABI_VERSION + 1);
  for (const Intent& intent : std::initializer_list<Intent>{Follow{}, Upgrade{}, Detach{"g1"}})
    EXPECT_THAT(texts(intent), ElementsAre(HasSubstr("--to-abi " + std::to_string(VNET_ABI_VERSION))));
}

// Whatever the maps are: nothing is put up, nothing is written down in them.
TEST_F(PlanUpgradeTest, StopGoesByThePins) {
  for (unsigned layout : {VNET_ABI_VERSION - 1, VNET_ABI_VERSION + 1}) {
    move_layout(layout);
    host_.snapshot.guarded_uplinks.clear();  // nothing is known of what stands
    EXPECT_THAT(texts(Stop{"nat"}),
                ElementsAre("note that nat is stopping", "take g1 down", "take g1 out of its bridge",
                            "take the guard off g1", "stop dnsmasq on virbr0", "delete bridge virbr0",
                            "unload the programs of nat", "detach uplink eth0",
                            "take down the fence at FORWARD", "forget nat"));
  }
}

// Killed after any of its steps, it is finished by the next command that mends, or by `run`.
TEST_F(PlanUpgradeTest, OneThatWasKilledIsFinished) {
  move_layout(VNET_ABI_VERSION - 1);
  const SimulatedHost before = host_;
  const auto plan = make_plan(host_.snapshot, Upgrade{});
  ASSERT_TRUE(plan);
  ASSERT_GT(plan->steps.size(), 5U);
  for (std::size_t killed = 1; killed < plan->steps.size(); ++killed) {
    SCOPED_TRACE(killed);
    host_ = before;
    host_.apply(plan->steps, killed);
    EXPECT_EQ("", host_.exposed());
    EXPECT_TRUE(host_.snapshot.outdated.begun);
    ASSERT_TRUE(host_.follow());
    EXPECT_EQ(Outdated{}, host_.snapshot.outdated);
  }
}

TEST_F(PlanUpgradeTest, ANetworkThatStopsMeanwhileIsNotReplaced) {
  host_.snapshot.outdated.begun = true;
  EXPECT_THAT(texts(Stop{"nat"}), Not(Contains("replace the programs of network nat")));
  EXPECT_THAT(texts(Stop{"nat"}), Contains("replace the programs of network bridge"));
}

}  // namespace
}  // namespace vnet

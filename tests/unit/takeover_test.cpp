// SPDX-License-Identifier: GPL-2.0-or-later
// What is left to do for vnet-bpf to take libvirt's place, and to give it back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "loader/bus/libvirt_daemons.h"
#include "loader/takeover/lease_lines.h"
#include "loader/takeover/takeover.h"

namespace vnet::takeover {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* uuid = "3e3fce45-4f53-4fa7-bb32-11f34168b82b";

// An installed host on which libvirt serves its network `default`.
Facts host_of(LibvirtKind kind) {
  Facts facts{.version = 9000000, .driver = "/usr/lib/x/vnet-bpf/libvirt/libvirt_driver_network.so"};
  facts.host.kind = kind;
  facts.host.server = NetworkServer::Libvirt;
  for (const auto& name : own_units(kind)) facts.host.units[name] = {"disabled", false};
  facts.host.units["vnet-bpf-serve.service"] = {"static", false};
  for (const auto& name : replaced_units(kind)) facts.host.units[name] = {"enabled", true};
  for (const auto& name : hypervisor_services(kind)) facts.host.units[name] = {"enabled", true};
  facts.theirs = {{.name = "default", .uuid = uuid, .xml = "<network/>", .active = true, .autostart = true}};
  return facts;
}

// The host after the step, as far as a plan looks at it.
void simulate(const Step& step, const Record& record, Facts& facts) {
  auto ours = std::ranges::find(facts.ours, step.subject, &OurNetwork::name);
  auto theirs = std::ranges::find(facts.theirs, step.subject, &TheirNetwork::name);
  auto& unit = facts.host.units[step.subject];
  auto serve = [&](NetworkServer server) {
    facts.host.server = server;
    facts.theirs.clear();
    if (server != NetworkServer::Libvirt) return;
    facts.theirs = record.networks;
    for (auto& net : facts.theirs) net.active = false;
  };
  switch (step.what) {
    case Do::Note:
      facts.record = record;
      break;
    case Do::Finish:
      facts.record->phase = Phase::Taken;
      break;
    case Do::Forget:
      facts.record.reset();
      break;
    case Do::Define:
      facts.ours.push_back({.name = step.subject, .uuid = uuid, .defined = true});
      break;
    case Do::Undefine:
      facts.ours.erase(ours);
      break;
    case Do::WriteDriver:
      facts.has_driver_files = facts.driver_files_are_whole = true;
      break;
    case Do::RemoveDriver:
      facts.has_driver_files = facts.driver_files_are_whole = false;
      break;
    case Do::Enable:
      unit.file = "enabled";
      break;
    case Do::Disable:
      unit.file = "disabled";
      break;
    case Do::Mask:
      unit.file = "masked";
      break;
    case Do::Unmask:
      unit.file = "enabled";
      break;
    case Do::StartUnit:
      unit.active = true;
      if (step.subject == "vnet-bpf-virtnetworkd.socket") serve(NetworkServer::VnetBpf);
      break;
    case Do::StopUnit:
      unit.active = false;
      if (step.subject == "vnet-bpf-virtnetworkd.socket") serve(NetworkServer::Libvirt);
      break;
    case Do::RestartUnit:
      if (step.subject == "libvirtd.service")
        serve(facts.has_driver_files ? NetworkServer::VnetBpf : NetworkServer::Libvirt);
      break;
    case Do::Autostart:
    case Do::NoAutostart:
      ours->autostart = step.what == Do::Autostart;
      break;
    case Do::StartOurs:
    case Do::StopOurs:
      ours->active = step.what == Do::StartOurs;
      break;
    case Do::StartTheirs:
    case Do::StopTheirs:
      if (theirs != facts.theirs.end()) theirs->active = step.what == Do::StartTheirs;
      // Its socket starts it.
      if (record.kind == LibvirtKind::Modular && step.what == Do::StartTheirs)
        facts.host.units["virtnetworkd.service"].active = true;
      break;
    default:
      break;
  }
  std::erase_if(facts.host.units, [](const auto& entry) { return !entry.second.exists(); });
}

// The first `most` steps of the plan.
void follow(const Result<Plan>& plan, Facts& facts, std::size_t most = 1000) {
  ASSERT_TRUE(plan) << plan.error().message;
  for (std::size_t i = 0; i < std::min(most, plan->steps.size()); ++i)
    simulate(plan->steps[i], plan->record, facts);
}

void expect_as_before(const Facts& facts, const Facts& before) {
  EXPECT_EQ(facts.host.units, before.host.units);
  EXPECT_EQ(facts.host.server, NetworkServer::Libvirt);
  EXPECT_FALSE(facts.record);
  EXPECT_FALSE(facts.has_driver_files);
  EXPECT_THAT(facts.ours, IsEmpty());
  ASSERT_EQ(facts.theirs.size(), 1U);
  EXPECT_TRUE(facts.theirs[0].active);
  EXPECT_TRUE(facts.theirs[0].autostart);
}

void expect_taken_over(const Facts& facts) {
  EXPECT_EQ(facts.host.server, NetworkServer::VnetBpf);
  ASSERT_EQ(facts.ours.size(), 1U);
  EXPECT_TRUE(facts.ours[0].active);
  EXPECT_TRUE(facts.ours[0].autostart);
  for (const auto& name : own_units(facts.host.kind)) {
    if (name == "vnet-bpf-serve.service") continue;
    EXPECT_EQ(facts.host.units.at(name), (UnitState{"enabled", true})) << name;
  }
  for (const auto& name : replaced_units(facts.host.kind))
    EXPECT_EQ(facts.host.units.at(name), (UnitState{"masked", false})) << name;
}

std::vector<std::string> texts(const Plan& plan) {
  std::vector<std::string> all;
  for (const auto& step : plan.steps) all.push_back(text(step));
  return all;
}

class Takeover : public testing::TestWithParam<LibvirtKind> {};
INSTANTIATE_TEST_SUITE_P(, Takeover, testing::Values(LibvirtKind::Monolithic, LibvirtKind::Modular),
                         [](const auto& info) {
                           return info.param == LibvirtKind::Monolithic ? "monolithic" : "modular";
                         });

TEST_P(Takeover, GoesThereAndBack) {
  const Facts before = host_of(GetParam());
  Facts facts = before;
  follow(plan_enable(facts, false), facts);
  expect_taken_over(facts);
  EXPECT_THAT(plan_enable(facts, false)->steps, IsEmpty());
  follow(plan_disable(facts, false), facts);
  expect_as_before(facts, before);
  EXPECT_THAT(plan_disable(facts, false)->steps, IsEmpty());
}

TEST_P(Takeover, IsFinishedOrUndoneWhereverItWasInterrupted) {
  const Facts before = host_of(GetParam());
  const auto steps = plan_enable(before, false)->steps.size();
  for (std::size_t done = 0; done <= steps; ++done) {
    SCOPED_TRACE(done);
    Facts facts = before;
    follow(plan_enable(before, false), facts, done);
    Facts back = facts;
    follow(plan_enable(facts, false), facts);
    expect_taken_over(facts);
    if (!back.record) continue;  // nothing was done
    follow(plan_disable(back, false), back);
    expect_as_before(back, before);
  }
}

TEST_P(Takeover, IsGivenBackOrTakenAgainWhereverThatWasInterrupted) {
  const Facts before = host_of(GetParam());
  Facts taken = before;
  follow(plan_enable(before, false), taken);
  const auto steps = plan_disable(taken, false)->steps.size();
  for (std::size_t done = 0; done < steps; ++done) {
    SCOPED_TRACE(done);
    Facts facts = taken;
    follow(plan_disable(taken, false), facts, done);
    Facts again = facts;
    follow(plan_disable(facts, false), facts);
    expect_as_before(facts, before);
    follow(plan_enable(again, false), again);
    expect_taken_over(again);
  }
}

TEST_P(Takeover, IsRefusedWhileGuestsRunUnlessTheyAreMoved) {
  Facts facts = host_of(GetParam());
  facts.theirs[0].guests = {"g1", "g2"};
  auto refused = plan_enable(facts, false);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("g1, g2 use network default"));
  EXPECT_THAT(refused.error().message, HasSubstr("--live"));
  auto plan = plan_enable(facts, true);
  ASSERT_TRUE(plan);
  EXPECT_THAT(texts(*plan), testing::Contains("Wait until guest g2 is on its network"));

  follow(plan, facts);
  facts.ours[0].guests = {"g1"};
  facts.ours[0].interfaces = {"vnet0"};
  EXPECT_FALSE(plan_disable(facts, false));
  plan = plan_disable(facts, true);
  ASSERT_TRUE(plan);
  // The daemon puts guests into bridges that are there when it starts.
  auto restart = std::ranges::find(plan->steps.rbegin(), plan->steps.rend(), Do::RestartUnit, &Step::what);
  auto start = std::ranges::find(plan->steps.rbegin(), plan->steps.rend(), Do::StartTheirs, &Step::what);
  EXPECT_LT(restart, start);
  EXPECT_THAT(texts(*plan), testing::Contains("Bring interface vnet0 up"));
}

TEST_P(Takeover, PutsGuestsBackThatAFailureHasLeftBetweenTheTwo) {
  Facts facts = host_of(GetParam());
  facts.theirs[0].guests = {"g1"};
  auto plan = plan_enable(facts, true);
  const auto stopped = std::ranges::find(plan->steps, Do::StopTheirs, &Step::what) - plan->steps.begin();
  follow(plan, facts, static_cast<std::size_t>(stopped) + 1);
  plan = plan_disable(facts, true);
  ASSERT_TRUE(plan);
  EXPECT_NE(std::ranges::find(plan->steps, Do::RestartUnit, &Step::what), plan->steps.end());
}

TEST(TakeoverPlan, MasksAndNeverDisablesTheUnitsOfModularHosts) {
  auto plan = plan_enable(host_of(LibvirtKind::Modular), false);
  ASSERT_TRUE(plan);
  for (const auto& step : plan->steps) {
    if (!step.subject.starts_with("virt")) continue;
    EXPECT_THAT(step.what, testing::AnyOf(Do::Mask, Do::StopUnit)) << step.subject;
  }
}

TEST(TakeoverPlan, LeavesWhatTheAdministratorHadEnabledOrDefined) {
  Facts facts = host_of(LibvirtKind::Monolithic);
  facts.host.units["vnet-bpf.service"] = {"enabled", true};
  facts.ours = {{.name = "default", .uuid = uuid, .defined = true},
                {.name = "mine", .uuid = "", .defined = true, .active = true}};
  const Facts before = facts;
  follow(plan_enable(facts, false), facts);
  auto plan = plan_disable(facts, false);
  EXPECT_THAT(plan->notes, ElementsAre(HasSubstr("network mine stays vnet-bpf's")));
  follow(plan, facts);
  EXPECT_EQ(facts.host.units, before.host.units);
  ASSERT_EQ(facts.ours.size(), 2U);
  EXPECT_FALSE(facts.ours[0].autostart);
  EXPECT_TRUE(facts.ours[1].active);
}

TEST(TakeoverPlan, KeepsADefinitionThatHasBeenChangedMeanwhile) {
  Facts facts = host_of(LibvirtKind::Monolithic);
  follow(plan_enable(facts, false), facts);
  facts.ours[0].edited = true;
  auto plan = plan_disable(facts, false);
  EXPECT_THAT(plan->notes, ElementsAre(HasSubstr("network default has been changed")));
  EXPECT_THAT(texts(*plan), Not(testing::Contains(HasSubstr("Forget network"))));
}

struct Refusal {
  const char* why;
  void (*change)(Facts&);
  const char* says;
};
TEST(TakeoverPlan, RefusesWhatCannotBe) {
  const Refusal refusals[] = {
      {"no libvirt", [](Facts& f) { f.host.kind = LibvirtKind::None; }, "no daemon of libvirt's"},
      {"no units", [](Facts& f) { f.host.units.erase("vnet-bpf.service"); },
       "vnet-bpf.service is not installed"},
      {"no driver", [](Facts& f) { f.driver.clear(); }, "network driver for libvirtd is not installed"},
      {"another version", [](Facts& f) { f.version = 10001000; }, "libvirt 10.1.0 is not among the versions"},
      {"silence", [](Facts& f) { f.silence = "asking libvirt: no"; }, "start libvirt first"},
      {"by hand", [](Facts& f) { f.has_driver_files = true; }, "set up here by hand"},
      {"transient", [](Facts& f) { f.theirs[0].persistent = false; }, "is not stored"},
      {"another's name", [](Facts& f) { f.ours = {{.name = "default", .uuid = "x"}}; }, "rename one of them"},
  };
  for (const auto& refusal : refusals) {
    Facts facts = host_of(LibvirtKind::Monolithic);
    refusal.change(facts);
    auto plan = plan_enable(facts, true);
    ASSERT_FALSE(plan) << refusal.why;
    EXPECT_THAT(plan.error().message, HasSubstr(refusal.says));
  }
}

TEST(TakeoverPlan, RefusesToStrandAGuestOnANetworkThatLibvirtDoesNotHave) {
  Facts facts = host_of(LibvirtKind::Monolithic);
  follow(plan_enable(facts, false), facts);
  facts.ours.push_back({.name = "new", .uuid = "", .defined = true, .active = true, .guests = {"g7"}});
  auto plan = plan_disable(facts, true);
  ASSERT_FALSE(plan);
  EXPECT_THAT(plan.error().message, HasSubstr("g7 uses network new, which libvirt does not have"));
}

TEST(LibvirtKindOf, IsWhatRunsElseWhatIsEnabled) {
  const UnitState on{"enabled", true}, enabled{"enabled", false}, off{"disabled", false};
  EXPECT_EQ(kind_of({}), LibvirtKind::None);
  EXPECT_EQ(kind_of({{"libvirtd.service", off}, {"libvirtd.socket", off}}), LibvirtKind::None);
  EXPECT_EQ(kind_of({{"libvirtd.socket", enabled}}), LibvirtKind::Monolithic);
  EXPECT_EQ(kind_of({{"virtqemud.socket", enabled}, {"libvirtd.service", on}}), LibvirtKind::Monolithic);
  EXPECT_EQ(kind_of({{"virtqemud.socket", on}, {"libvirtd.socket", enabled}}), LibvirtKind::Modular);
}

TEST(LeaseLines, AreDnsmasqs) {
  EXPECT_THAT(
      lease_lines(
          {{.expiry = 7,
            .type = 1,
            .mac = "52:54:00:00:00:01",
            .iaid = "3",
            .address = "fd00::5",
            .client_id = "00:01"},
           {.expiry = 9, .mac = "52:54:00:00:00:01", .address = "192.168.122.5", .hostname = "g1"},
           {.expiry = 9, .address = "192.168.122.6"},
           {.expiry = 9, .mac = "52:54:00:00:00:02", .address = "192.168.122.7", .hostname = "two words"}}),
      ElementsAre("9 52:54:00:00:00:01 192.168.122.5 g1 *", "9 52:54:00:00:00:02 192.168.122.7 * *",
                  "7 3 fd00::5 * 00:01"));
}

}  // namespace
}  // namespace vnet::takeover

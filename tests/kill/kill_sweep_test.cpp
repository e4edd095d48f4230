// SPDX-License-Identifier: GPL-2.0-or-later
// Every verb that changes something, killed after every call that changes something. Whatever is left:
// nothing private leaves the host, nothing leaves an isolated network, nothing reaches a port that lets
// nothing in. And the verb once more puts everything right.
//
//   lab:  NAT, both families; g1, and g2 with --inbound drop, UDP port 7000 open
//   cage: isolated; i1
//   [host] forwards already, as one with other routed networks does; lan0 10.99.0.1 --- eth0 10.99.0.2 [lan]
//
// All guests, outside and lan send all the time, to each other and to the host's own MACs.
//
// VNET_KILL_ALL=1: every step. VNET_KILL_PART=K/N: steps K, K+N, K+2N... of each verb. Neither: one of each
// verb, another each day. VNET_KILL_VERB='detach g1': that verb alone. VNET_BPF_PROGRAM: another build.
// VNET_KILL_OLDER: the build that `upgrade` begins from; else the last release's (tests/upgrade), if it was
// built.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <set>
#include <thread>

#include "tests/e2e/network_fixture.h"
#include "tests/kill/traffic.h"

namespace vnet::test {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr std::uint16_t open_port = 7000, other_port = 9000;
constexpr int killed_status = 137;
// Twenty rounds of the senders.
constexpr auto window = 80ms;

struct Station {
  std::string name;
  std::string mac;
  std::string ip4;
  std::string ip6;
  std::string gateway_mac;
  std::string network;
};
const Station g1{"g1", "52:54:00:00:00:11", "192.168.122.11", "fd00:122::11", "52:54:00:00:00:fe", "lab"};
const Station g2{"g2", "52:54:00:00:00:12", "192.168.122.12", "fd00:122::12", "52:54:00:00:00:fe", "lab"};
const Station i1{"i1", "52:54:00:00:00:21", "10.77.0.11", "fd00:77::11", "52:54:00:00:00:fd", "cage"};
const Station guests[] = {g1, g2, i1};

constexpr const char* cage_xml =
    "<network><name>cage</name><bridge name='virbr7' stp='off'/><mac address='52:54:00:00:00:fd'/>"
    "<ip address='10.77.0.1' netmask='255.255.255.0'/><ip family='ipv6' address='fd00:77::1' prefix='64'/>"
    "</network>";

std::string lab_xml() {
  return dual_stack_xml("<nat ipv6='yes'/>", "<mac address='52:54:00:00:00:fe'/>");
}

// The same network with about everything otherwise that can change while it runs.
std::string other_lab_xml() {
  std::string xml =
      dual_stack_xml("<nat ipv6='yes'><port start='20000' end='60000'/></nat>",
                     "<mac address='52:54:00:00:00:fe'/><domain name='lab'/><dns><host ip='192.168.122.77'>"
                     "<hostname>box</hostname></host></dns>"
                     "<route address='10.66.0.0' prefix='16' gateway='192.168.122.11'/><ip "
                     "address='10.67.0.1' prefix='24'/>");
  const std::string settings =
      "<metadata><v:network xmlns:v='urn:vnet-bpf:network:1'><v:inbound default='established'/>"
      "<v:host access='services'/><v:sessions max='50000'/>"
      "<v:portForward proto='tcp' port='8080' to='192.168.122.11' toPort='80'/></v:network></metadata>";
  return xml.replace(xml.find("<forward"), 0, settings);
}

bool is_private(const std::string& address) {
  for (const char* of : {"192.168.122.", "10.77.0.", "fd00:122:", "fd00:77:"})
    if (address.starts_with(of)) return true;
  return false;
}

// Which faults there are in what was heard; empty: none.
// two_strangers: g1 and g2 are in the bridge and not attached, and this kernel's bridges know no VLANs. Such
// two reach each other there, and nobody else.
std::string judge(const std::map<Heard, int>& heard, bool two_strangers) {
  std::map<std::string, int> faults;
  for (const auto& [one, times] : heard) {
    bool foreign = one.where == "outside" || one.where == "lan";
    std::string what;
    if (foreign && is_private(one.source))
      what = fmt::format("{} untranslated on {}", one.sender, one.where);
    else if (one.where != "i1" && one.sender == "i1")
      what = fmt::format("isolated i1 heard on {}", one.where);
    else if (one.where == "i1" && one.sender != "i1")
      what = fmt::format("{} heard by isolated i1", one.sender);
    else if (one.where == "g2" && one.sender != "g2" && one.port != open_port &&
             !(two_strangers && one.sender == "g1"))
      what = fmt::format("{} let in to g2", one.sender);
    else if (!foreign && (one.sender == "outside" || one.sender == "lan"))
      what = fmt::format("{} unasked at {}", one.sender, one.where);
    if (!what.empty())
      faults[what + (one.source.find(':') == std::string::npos ? " (IPv4)" : " (IPv6)")] += times;
  }
  std::string text;
  for (const auto& [what, times] : faults)
    text += fmt::format("{}{} x{}", text.empty() ? "" : ", ", what, times);
  return text;
}

struct Verb {
  const char* name;
  std::vector<Argv> before;  // from everything up and attached to where it begins
  Argv command;
  std::vector<Argv> after;    // the command once more, and what makes everything up and attached again
  bool plug_by_hand = false;  // as libvirt does as soon as there is a bridge
  bool from_older = false;    // another version has started everything
};

Argv attach(const Station& who) {
  Argv words{"attach", who.name, "--network", who.network, "--mac", who.mac};
  if (who.name == "g2")
    words.insert(words.end(), {"--inbound", "drop", "--allow", fmt::format("udp/{}", open_port)});
  return words;
}

std::string older_program() {
  const char* named = std::getenv("VNET_KILL_OLDER");
  return named && *named ? named : VNET_OTHER_BUILDS "/older/vnet-bpf";
}

std::vector<Verb> verbs() {
  const Argv up_lab{"up", "LAB"}, up_cage{"up", "CAGE"};
  std::vector<Verb> all;
  all.push_back({"start lab", {{"stop", "lab"}}, {"start", "lab"}, {up_lab, attach(g1), attach(g2)}, true});
  all.push_back(
      {"up lab", {{"stop", "lab"}, {"undefine", "lab"}}, up_lab, {up_lab, attach(g1), attach(g2)}, true});
  all.push_back({"start cage", {{"stop", "cage"}}, {"start", "cage"}, {up_cage, attach(i1)}, true});
  for (const Station& who : guests) {
    static const std::map<std::string, std::array<const char*, 2>> names = {
        {"g1", {"attach g1", "detach g1"}},
        {"g2", {"attach g2", "detach g2"}},
        {"i1", {"attach i1", "detach i1"}}};
    auto [attaching, detaching] = names.at(who.name);
    all.push_back({attaching, {{"detach", who.name}}, attach(who), {attach(who)}});
    all.push_back({detaching, {}, {"detach", who.name}, {{"detach", who.name}, attach(who)}});
  }
  Argv change{"set", "g2", "--filter", "clean-traffic", "--ip", g2.ip4, "--ip", g2.ip6};
  all.push_back({"set g2", {{"set", "g2", "--filter", "none"}}, change, {change}});
  // Killed, it is finished by the next command: which is the same one here, and `set` of another port's
  // below.
  const Argv apply{"apply", "lab", "LAB2"};
  all.push_back({"apply lab", {}, apply, {apply, up_lab}});
  all.push_back({"apply lab back", {apply}, up_lab, {{"set", "i1", "--link", "up"}, up_lab}});
  all.push_back({"stop lab", {}, {"stop", "lab"}, {{"stop", "lab"}, up_lab, attach(g1), attach(g2)}});
  all.push_back({"stop cage", {}, {"stop", "cage"}, {{"stop", "cage"}, up_cage, attach(i1)}});
  // Both networks are gone after it: what was shared goes, too.
  all.push_back({"stop the last",
                 {{"stop", "cage"}},
                 {"stop", "lab"},
                 {{"stop", "lab"}, up_lab, up_cage, attach(g1), attach(g2), attach(i1)}});
  all.push_back({.name = "upgrade",
                 .before = {},
                 .command = {"upgrade"},
                 .after = {{"upgrade"}, up_lab},
                 .from_older = true});
  return all;
}

std::set<int> chosen(int count) {
  std::set<int> steps;
  int part = 0, parts = 0;
  if (const char* all = std::getenv("VNET_KILL_ALL"); all && *all == '1') {
    parts = 1;
  } else if (const char* text = std::getenv("VNET_KILL_PART");
             !text || std::sscanf(text, "%d/%d", &part, &parts) != 2 || parts < 1) {
    // One of each verb a day, so that all have had their turn after as many days as there are steps.
    part = static_cast<int>(
        std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now()).time_since_epoch().count());
    parts = std::max(count, 1);
  }
  for (int step = 1; step <= count; ++step)
    if (step % parts == part % parts) steps.insert(step);
  return steps;
}

class KillSweep : public NetworkTest, public testing::WithParamInterface<const char*> {
 protected:
  void SetUp() override {
    NetworkTest::SetUp();
    if (IsSkipped()) return;
    setenv("VNET_BPF_ATTACH", GetParam(), 1);
    lab_ = file("lab.xml", lab_xml());
    cage_ = file("cage.xml", cage_xml);
    other_lab_ = file("lab2.xml", other_lab_xml());
    lan_ = std::make_unique<Namespace>();
    host().must("ip link add lan0 type veth peer name eth0 netns " + lan_->name());
    std::string router = mac_in(outside(), "eth0"), neighbour = mac_in(*lan_, "eth0");
    // Neighbours are known beforehand: what leaks is not held up until somebody answers.
    host().must(
        "ip link set lan0 up; ip addr add 10.99.0.1/24 dev lan0; "
        "ip addr add 2001:db8:99::1/64 dev lan0 nodad; "
        "sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1 "
        "net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0; "
        "ip neigh replace 203.0.113.1 dev eth0 lladdr " +
        router + "; ip neigh replace 2001:db8:113::1 dev eth0 lladdr " + router +
        "; ip neigh replace 10.99.0.2 dev lan0 lladdr " + neighbour +
        "; ip neigh replace 2001:db8:99::2 dev lan0 lladdr " + neighbour);
    lan_->must(
        "ip link set eth0 up; ip addr add 10.99.0.2/24 dev eth0; "
        "ip addr add 2001:db8:99::2/64 dev eth0 nodad");
    for (const Station& who : guests) add(who);
    traffic_ = std::make_unique<Traffic>();
    traffic_->listen("outside", outside(), "eth0");
    traffic_->listen("lan", *lan_, "eth0");
    for (const Station& who : guests) traffic_->listen(who.name, guest(who.name), "eth0");
    for (const Station& who : guests) let_send(who);
    unasked("outside", outside(), "eth0", "203.0.113.1", "2001:db8:113::1");
    unasked("lan", *lan_, "lan0", "10.99.0.2", "2001:db8:99::2");
    everything_up();
    traffic_->begin();
  }
  void TearDown() override {
    traffic_.reset();
    unsetenv("VNET_BPF_ATTACH");
  }

  static std::string mac_in(const Namespace& where, const std::string& interface) {
    return where.sh("cat /sys/class/net/" + interface + "/address").out.substr(0, 17);
  }

  void add(const Station& who) {
    ground().add_guest(who.name);
    std::string gateway4 = who.ip4.substr(0, who.ip4.rfind('.')) + ".1";
    std::string gateway6 = who.ip6.substr(0, who.ip6.rfind(':')) + ":1";
    guest(who.name).must(fmt::format(
        "ip link set eth0 down; ip link set eth0 address {0}; sysctl -qw net.ipv6.conf.eth0.autoconf=0; "
        "ip link set eth0 up; ip addr add {1}/24 dev eth0; ip addr add {2}/64 dev eth0 nodad; "
        // Every time that the link was down IPv6 forgets its routes' neighbours: ask for none.
        "ip neigh replace {3} lladdr {5} dev eth0 nud permanent; "
        "ip neigh replace {4} lladdr {5} dev eth0 nud permanent; "
        "sysctl -qw net.ipv6.conf.eth0.keep_addr_on_down=1; "
        "ip route replace default via {3}; ip -6 route replace default via {4}",
        who.mac, who.ip4, who.ip6, gateway4, gateway6, who.gateway_mac));
  }

  // To everybody else, by way of the gateway and by way of the host's end of the guest's own cable.
  void let_send(const Station& who) {
    auto send = [&](const std::string& to_mac, const std::string& to4, const std::string& to6) {
      Ethernet ethernet{.src = who.mac, .dst = to_mac};
      for (std::uint16_t port : {other_port, open_port}) {
        // Who is let in only there is sent to there, too.
        if (port == open_port && to4 != g2.ip4) continue;
        traffic_->send_from(who.name, guest(who.name), "eth0",
                            ethernet / Packet(Ipv4{.src = who.ip4, .dst = to4}), port);
        traffic_->send_from(who.name, guest(who.name), "eth0",
                            ethernet / Packet(Ipv6{.src = who.ip6, .dst = to6}), port);
      }
    };
    for (const std::string& mac : {who.gateway_mac, mac_in(host(), who.name)}) {
      send(mac, "198.51.100.1", "2001:db8:51::1");
      send(mac, "10.99.0.2", "2001:db8:99::2");
      for (const Station& other : guests)
        if (other.network != who.network) send(mac, other.ip4, other.ip6);
    }
    for (const Station& other : guests)
      if (other.name != who.name) send(other.mac, other.ip4, other.ip6);
  }
  void unasked(const std::string& name, const Namespace& where, const std::string& there,
               const std::string& from4, const std::string& from6) {
    Ethernet ethernet{.src = mac_in(where, "eth0"), .dst = mac_in(host(), there)};
    for (const Station& who : guests) {
      traffic_->send_from(name, where, "eth0", ethernet / Packet(Ipv4{.src = from4, .dst = who.ip4}),
                          other_port);
      traffic_->send_from(name, where, "eth0", ethernet / Packet(Ipv6{.src = from6, .dst = who.ip6}),
                          other_port);
    }
  }

  Argv words(Argv arguments) const {
    for (std::string& word : arguments)
      word = word == "LAB" ? lab_ : word == "CAGE" ? cage_ : word == "LAB2" ? other_lab_ : word;
    return arguments;
  }
  // What stopping and detaching say where nothing is left to do is no fault.
  std::string run(const Argv& arguments) {
    Output ran = ground().vnet(words(arguments));
    bool may_be_done = arguments[0] == "stop" || arguments[0] == "detach" || arguments[0] == "undefine";
    if (ran.ok() || (may_be_done && (ran.err.find("not active") != std::string::npos || ran.status == 3)))
      return "";
    return fmt::format("`{}` exits with {}: {}", fmt::join(arguments, " "), ran.status, ran.err);
  }
  Output killed(int step, const Argv& arguments) {
    return host().exec([&] {
      Argv all{"env", "VNET_BPF_STATE_DIR=" + ground().state_dir().string(), VNET_KILL_AFTER,
               std::to_string(step), Playground::program()};
      Argv given = words(arguments);
      all.insert(all.end(), given.begin(), given.end());
      return all;
    }());
  }

  void everything_up() {
    for (const Argv& one : {Argv{"up", "LAB"}, Argv{"up", "CAGE"}, attach(g1), attach(g2), attach(i1)})
      vnet(words(one));
  }

  // What is broken is not always mended by stopping: the next step begins anew all the same.
  void from_scratch() {
    for (const char* network : {"lab", "cage"}) ground().vnet({"stop", network});
    host().sh(
        "for b in virbr0 virbr7; do ip link del $b; done; "
        "for d in eth0 lan0 g1 g2 i1; do tc qdisc del dev $d clsact; done; "
        "for d in g1 g2 i1; do ip link set $d nomaster; ip link set $d up; done; "
        "ip netns pids " +
        host().name() +
        " | xargs -r ps -o pid=,comm= -p | "
        "awk '$2 == \"dnsmasq\" {print $1}' | xargs -r kill -9");
    std::error_code ignored;
    fs::remove_all(ground().state_dir() / "bpf/vnet-bpf", ignored);
    fs::remove_all(ground().state_dir() / "run", ignored);
    host().sh("sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1");
    everything_up();
  }

  void older_up() {
    const char* named = std::getenv("VNET_BPF_PROGRAM");
    const std::string ours = named ? named : "";
    setenv("VNET_BPF_PROGRAM", older_program().c_str(), 1);
    from_scratch();
    ours.empty() ? unsetenv("VNET_BPF_PROGRAM") : setenv("VNET_BPF_PROGRAM", ours.c_str(), 1);
    traffic_->take();
  }

  std::string heard_faults() {
    std::this_thread::sleep_for(window);
    bool two_strangers =
        plugged_by_hand_ &&
        host().sh("ip -d link show virbr0").out.find("vlan_filtering 1") == std::string::npos;
    return judge(traffic_->take(), two_strangers);
  }

  // Everybody has what is theirs: empty, or what is missing.
  std::string missing() {
    std::string text;
    auto ping = [&](const Station& who, const char* to) {
      if (!guest(who.name).pings(to, 3)) text += fmt::format("{} does not reach {}; ", who.name, to);
    };
    ping(g1, "203.0.113.1");
    ping(g1, "2001:db8:113::1");
    ping(i1, "10.77.0.1");
    bool open = false;
    wait_until(
        [&] {
          for (const auto& [one, times] : traffic_->take())
            open = open || (one.where == "g2" && one.sender == "g1" && one.port == open_port);
          return open;
        },
        2s);
    if (!open) text += "g2 hears nothing on its open port; ";
    return text;
  }

  // Step 0 is not killed: it counts.
  std::string step(const Verb& verb, int number, int& count, std::string& point) {
    std::string faults;
    auto say = [&](const std::string& when, const std::string& what) {
      if (!what.empty()) faults += "\n    " + when + ": " + what;
    };
    if (verb.from_older) older_up();
    for (const Argv& one : verb.before) say("beforehand", run(one));
    say("beforehand", heard_faults());
    Output ran = killed(number, verb.command);
    auto line = ran.err.rfind("killed after ");
    point = line == std::string::npos ? "not killed" : ran.err.substr(line, ran.err.find('\n', line) - line);
    // Playgrounds have names of their own: the reader wants the rest.
    if (auto dir = point.find(ground().state_dir().string()); dir != std::string::npos)
      point.erase(dir, ground().state_dir().string().size() + 1);
    if (number == 0) {
      auto at = ran.err.rfind(" calls");
      auto from = at == std::string::npos ? at : ran.err.rfind('\n', at);
      count =
          at == std::string::npos ? 0 : std::stoi(ran.err.substr(from == std::string::npos ? 0 : from + 1));
      if (!ran.ok()) say("uninterrupted", ran.err);
    } else if (ran.status != killed_status) {
      // A call fewer than counted, because it depends on what was there.
      point = "ended before";
    }
    plugged_by_hand_ = verb.plug_by_hand;
    if (verb.plug_by_hand)
      for (const Station& who : guests) {
        const char* bridge = who.network == "lab" ? "virbr0" : "virbr7";
        host().sh(
            fmt::format("test -e /sys/class/net/{0}/master || {{ ip link set {0} master {1} && "
                        "ip link set {0} up; }}",
                        who.name, bridge));
      }
    say("then", heard_faults());
    for (const Argv& one : verb.after) {
      say("again", run(one));
      say(fmt::format("after `{}`", fmt::join(one, " ")), heard_faults());
    }
    plugged_by_hand_ = false;
    auto before = faults.size();
    say("again", missing());
    say("at last", heard_faults());
    lasting_ = faults.size() != before;
    // Put there by hand they would stay, and `detach` would leave them.
    if (!faults.empty() || verb.plug_by_hand) from_scratch();
    traffic_->take();
    return faults;
  }

  void sweep(const Verb& verb) {
    auto begun = std::chrono::steady_clock::now();
    int count = 0, red = 0, lasting = 0, done = 0;
    std::string point, names;
    auto take = [&](int number) {
      std::string faults = step(verb, number, count, point);
      names += fmt::format("\n  {} {}", faults.empty() ? "ok " : "RED", point);
      if (number && point.starts_with("killed")) ++done;
      if (faults.empty()) return;
      if (number) ++red;
      if (number && lasting_) ++lasting;
      ADD_FAILURE() << verb.name << " (" << GetParam() << "), " << point << ":" << faults;
    };
    take(0);
    for (int number : chosen(count)) take(number);
    auto took = std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count();
    std::cout << fmt::format("{} ({}): {} of {} steps killed, {} of them red, {} for good, {:.1f} s{}\n",
                             verb.name, GetParam(), done, count, red, lasting, took, names)
              << std::flush;
  }

  bool lasting_ = false;  // the last step's faults were still there when everything had been repeated
  bool plugged_by_hand_ = false;
  std::string lab_, cage_, other_lab_;
  std::unique_ptr<Namespace> lan_;
  std::unique_ptr<Traffic> traffic_;
};

TEST_P(KillSweep, EveryVerbAtEveryCall) {
  const char* only = std::getenv("VNET_KILL_VERB");
  for (const Verb& verb : verbs()) {
    if (verb.from_older && !fs::exists(older_program())) {
      std::cout << verb.name << ": not tried, for there is no " << older_program() << "\n";
      continue;
    }
    if (!only || !*only || std::string(verb.name).find(only) != std::string::npos) sweep(verb);
  }
  EXPECT_GT(traffic_->sent(), 1000U);
}

INSTANTIATE_TEST_SUITE_P(Attach, KillSweep, testing::Values("tcx", "clsact"),
                         [](const auto& kind) { return std::string(kind.param); });

}  // namespace
}  // namespace vnet::test

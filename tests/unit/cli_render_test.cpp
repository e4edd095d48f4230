// SPDX-License-Identifier: GPL-2.0-or-later
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "cli/render.h"
#include "cli/text.h"
#include "loader/takeover/takeover.h"

namespace vnet::cli {
namespace {

Stats some_stats() {
  Stats stats{.time = 1000};
  Counters port{
      .rx_packets = 5, .rx_bytes = 500, .tx_packets = 7, .tx_bytes = 700, .drops = {{"spoofed-mac", 3}}};
  stats.networks.push_back({"lab", 1, 2, 100, port});
  stats.ports.push_back({"vnet0", "lab", 2, port, 50});
  stats.uplinks.push_back({"eth0", {.rx_packets = 1}});
  return stats;
}

TEST(CliRender, List) {
  std::vector<NetworkSummary> networks{
      {.name = "default", .uuid = "u", .gateway = "virbr0", .mode = Mode::Nat, .active = true, .ports = 12},
      {.name = "a\x1b[2J", .mode = Mode::Direct, .autostart = true}};
  EXPECT_EQ(
      " Name       State      Mode     Gateway   Ports   Autostart\n"
      "------------------------------------------------------------\n"
      " default    active     nat      virbr0       12   no\n"
      " a\\x1b[2J   inactive   direct   -             0   yes\n",
      list_text(networks));
  networks.pop_back();
  EXPECT_EQ(
      R"([{"name":"default","uuid":"u","mode":"nat","state":"active","gateway":"virbr0","autostart":false,"ports":12}])",
      list_json(networks).dump());
}

TEST(CliRender, Ports) {
  PortInfo port;
  port.interface = "vnet0";
  port.network = "lab";
  port.type = "network";
  port.source = "virbr1";
  EXPECT_EQ(
      " Interface   Type      Source   Model   MAC   IP   State\n"
      "---------------------------------------------------------\n"
      " vnet0       network   virbr1   -       -     -    up\n",
      ports_text({port}));
  port.mac = Mac::parse("52:54:00:00:00:01");
  port.ips = {*Address::parse("192.0.2.1")};
  port.inbound = Inbound::Established;
  EXPECT_EQ(
      R"([{"interface":"vnet0","network":"lab","type":"network","source":"virbr1","model":"",)"
      R"("mac":"52:54:00:00:00:01","ips":["192.0.2.1"],"ip_only":false,"state":"up","filters":[],"inbound":"established",)"
      R"("allow":[],"isolated":false,"guest":"","guest_uuid":"","vlan":null,"bandwidth":null}])",
      ports_json({port}).dump());
  port.any_mac = true;
  EXPECT_EQ("any", ports_json({port}).at(0)["mac"].get<std::string>());
  EXPECT_THAT(ports_text({port}), testing::HasSubstr("   any   192.0.2.1   up"));
  port.any_mac = false;
  // What few guests have.
  port.vlan = Vlan{.trunk = true, .tags = {{.id = 7, .native = true}, {.id = 8}}};
  port.bandwidth = BandwidthPair{.inbound = {}, .outbound = Bandwidth{.average = 500}};
  EXPECT_THAT(ports_text({port}), testing::HasSubstr(" up      7 (native),8 (not applied)   out 500 kB/s\n"));
  port.guest = "db\x1b[2J";
  EXPECT_THAT(ports_text({port}), testing::HasSubstr(" up      db\\x1b[2J   7 (native)"));
  port.guest.clear();
  port.ip_only = true;
  EXPECT_THAT(ports_text({port}), testing::HasSubstr(" 192.0.2.1   up      yes       7 (native)"));
  auto json = ports_json({port}).at(0);
  EXPECT_EQ(true, json["ip_only"]);
  EXPECT_EQ(R"({"trunk":true,"applied":false,"tags":[7,8],"native":7})", json["vlan"].dump());
  EXPECT_EQ(R"({"inbound":null,"outbound":{"average":500,"peak":0,"burst":0}})", json["bandwidth"].dump());
  EXPECT_EQ("[]\n", document(ports_json({})));
}

TEST(CliRender, LeasesAsVirsh) {
  setenv("TZ", "UTC", 1);
  LeaseEntry lease{.expiry = 86400,
                   .mac = Mac::parse("52:54:00:00:00:01"),
                   .ip = *Address::parse("192.0.2.9"),
                   .prefix_length = 24,
                   .hostname = "g1"};
  EXPECT_EQ(
      " Expiry Time           MAC address         Protocol   IP address     Hostname   Client ID or DUID\n"
      "--------------------------------------------------------------------------------------------------\n"
      " 1970-01-02 00:00:00   52:54:00:00:00:01   ipv4       192.0.2.9/24   g1         -\n",
      leases_text({lease}));
}

TEST(CliRender, Stats) {
  EXPECT_EQ(
      R"({"time":1000.0,"networks":[{"network":"lab","ports":1,"sessions":2,"max_sessions":100,"rx_packets":5,)"
      R"("rx_bytes":500,"tx_packets":7,"tx_bytes":700,"drops":{"spoofed-mac":3}}],"ports":[{"interface":"vnet0",)"
      R"("network":"lab","sessions":2,"max_sessions":50,"rx_packets":5,"rx_bytes":500,"tx_packets":7,"tx_bytes":700,)"
      R"("drops":{"spoofed-mac":3}}],"uplinks":[{"interface":"eth0","rx_packets":1,"rx_bytes":0,"tx_packets":0,)"
      R"("tx_bytes":0,"drops":{},"xdp_forwarded":0}]})",
      stats_json(some_stats()).dump());
  EXPECT_THAT(stats_text(some_stats()), testing::HasSubstr(" vnet0   spoofed-mac         3\n"));
}

TEST(CliRender, Flows) {
  SessionInfo flow{.protocol = "tcp",
                   .state = "established",
                   .network = "lab",
                   .inside = {*Address::parse("192.0.2.1"), 1000},
                   .outside = {*Address::parse("2001:db8::1"), 80},
                   .translated = {*Address::parse("192.0.2.1"), 1000},
                   .age_seconds = 61,
                   .out_packets = 4};
  EXPECT_EQ(
      " Proto   State         Inside           Outside            Translated as     Age   Packets out/in   "
      "Bytes out/in   bit/s\n"
      "------------------------------------------------------------------------------------------------------"
      "-------------------\n"
      " tcp     established   192.0.2.1:1000   [2001:db8::1]:80   -               1m01s              4/0     "
      "       0/0       0\n",
      flows_text({flow}));
  EXPECT_EQ(1000, flows_json({flow})[0]["translated"]["port"]);
}

Drop some_drop() {
  Drop drop{.time_ns = 1'500'000'000,
            .hook = "uplink-ingress",
            .reason = "not-visible",
            .interface = "eth0",
            .network = "lab",
            .length = 60};
  drop.packet.protocol = "udp";
  drop.packet.source = Endpoint{*Address::parse("192.0.2.1"), 1000};
  drop.packet.destination = Endpoint{*Address::parse("192.0.2.2"), 53};
  return drop;
}

TEST(CliRender, Drops) {
  setenv("TZ", "UTC", 1);
  Drop drop = some_drop();
  EXPECT_EQ(
      "00:00:01.500000 not-visible      uplink-ingress  eth0       lab             udp 192.0.2.1:1000 > "
      "192.0.2.2:53, 60 bytes",
      drop_text(drop));
  EXPECT_EQ(
      R"({"time":1.5,"reason":"not-visible","hook":"uplink-ingress","interface":"eth0","network":"lab","port":"",)"
      R"("length":60,"protocol":"udp","source":{"address":"192.0.2.1","port":1000},"destination":)"
      R"({"address":"192.0.2.2","port":53},"source_mac":null,"destination_mac":null})",
      drop_json(drop).dump());
  drop.port = "vnet0";
  EXPECT_THAT(drop_text(drop), testing::HasSubstr(" lab/vnet0 "));
  EXPECT_THAT(drop_comment(drop), testing::EndsWith(" (at uplink-ingress, network lab, port vnet0)"));
  drop.reason = "host-stack";
  drop.kernel_reason = "NOT_SPECIFIED";
  drop.kernel_function = "ip_error";
  EXPECT_THAT(drop_text(drop), testing::EndsWith(" bytes (NOT_SPECIFIED in ip_error)"));
  EXPECT_THAT(drop_comment(drop), testing::HasSubstr(": NOT_SPECIFIED in ip_error (at "));
  EXPECT_EQ("NOT_SPECIFIED", drop_json(drop)["kernel_reason"]);
  EXPECT_EQ("ip_error", drop_json(drop)["kernel_function"]);
}

TEST(CliRender, Explain) {
  Explanation told{.sent = some_drop().packet,
                   .steps = {{"uplink-ingress", "eth0", "dropped", {"a detail"}}},
                   .fate = Fate::Dropped,
                   .interface = "eth0",
                   .reason = "not-visible",
                   .meaning = "m",
                   .cause = "c",
                   .notes = {"n"}};
  EXPECT_EQ(
      "udp 192.0.2.1:1000 > 192.0.2.2:53\n"
      "\n"
      "uplink-ingress   eth0         dropped\n"
      "    a detail\n"
      "\n"
      "It is dropped at eth0: not-visible (m)\n"
      "Because of: c\n"
      "Note: n\n",
      explain_text(told));
  auto json = explain_json(told);
  EXPECT_EQ("dropped", json["fate"]);
  EXPECT_EQ(R"([{"where":"uplink-ingress","interface":"eth0","verdict":"dropped","details":["a detail"]}])",
            json["steps"].dump());
}

TEST(CliText, ControlCharactersAreShown) {
  EXPECT_EQ("a\\x0ab\\x7f\\x9bZ\xc3\xa4", printable("a\nb\x7f\xc2\x9bZ\xc3\xa4"));
  EXPECT_EQ("vnet-bpf: error: f.xml:3: bad", error_line({ErrorKind::Invalid, "bad", "f.xml", 3}));
}

TEST(CliText, Numbers) {
  EXPECT_EQ("0", short_number(0));
  EXPECT_EQ("0.5", short_number(0.5));
  EXPECT_EQ("999", short_number(999));
  EXPECT_EQ("1.0k", short_number(1000));
  EXPECT_EQ("1.0M", short_number(999999));
  EXPECT_EQ("123M", short_number(123e6));
  EXPECT_EQ("2h05m", duration(7500));
}

TEST(CliRender, LibvirtStatus) {
  takeover::Facts facts;
  facts.version = 10001000;
  facts.driver = "/usr/lib/x/vnet-bpf/libvirt/libvirt_driver_network.so";
  facts.host.kind = LibvirtKind::Monolithic;
  facts.host.server = NetworkServer::Libvirt;
  facts.host.units["libvirtd.service"] = {"enabled", true};
  facts.host.units["virtqemud.service"] = {};
  facts.theirs = {
      {.name = "default", .uuid = "u", .active = true, .autostart = true, .guests = {"g1", "g2"}}};
  facts.record.emplace();
  facts.record->phase = takeover::Phase::GivingBack;
  EXPECT_EQ(
      "Server:         libvirt\n"
      "Host:           monolithic\n"
      "Taken over:     interrupted\n"
      "libvirt:        10.1.0\n"
      "Network driver: /usr/lib/x/vnet-bpf/libvirt/libvirt_driver_network.so (does not support this version "
      "of "
      "libvirt)\n\n"
      " Unit               Enabled   Active\n"
      "-------------------------------------\n"
      " libvirtd.service   enabled   active\n\n"
      " Name      State    Autostart   Guests\n"
      "---------------------------------------\n"
      " default   active   yes         g1, g2\n",
      libvirt_text(facts));
  auto json = libvirt_json(facts);
  EXPECT_EQ(json["state"], "interrupted");
  EXPECT_EQ(json["driver_supports_version"], false);
  EXPECT_EQ(json["networks"][0]["guests"], Json({"g1", "g2"}));
  EXPECT_EQ(json["units"].size(), 1U);
}

}  // namespace
}  // namespace vnet::cli

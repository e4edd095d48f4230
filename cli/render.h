// SPDX-License-Identifier: GPL-2.0-or-later
// Facts as text for people and JSON for scripts. Pure: values in, text out.
//
// JSON, beyond what the command line's documentation gives for list, ports and stats. Times are seconds since
// the epoch; an unknown MAC is null, other unknown text "".
//   show    {"name","uuid","mode","state","gateway","autostart","ports", as in list,
//            "addresses":["192.168.122.1/24"], "mac", "mtu", "domain", "uplinks":[], "dnsmasq": bool,
//            "xdp":{UPLINK: how it is done, or why not},
//            "xdp_ports":{PORT: null, or why XDP forward does not deliver there},
//            "port_forwards":["tcp/8080 to 192.168.122.10:80"],
//            "host_firewall":"honor"|"bypass"|"auto", "sessions", "max_sessions", "max_sessions_per_port",
//            "nat":{"mapping","filtering"} (null where nothing is translated),
//            "timeouts":{"tcp","udp","icmp","other"} (seconds), "mac_nat":"off"|"on"|"auto",
//            "announce": null or {"bgp": AS or null,"hosts": bool}}
//   leases  [{"expiry" (0: never),"mac","protocol":"ipv4"|"ipv6","ip","prefix","hostname","client_id"}]
//   forward list  [{"network","active": bool,"protocol","port":"8000-8010","listen": null where it is each
//            address of the host,"to","to_port":"80-90","from":[] (everybody),"sessions"}]
//   block list  [{"prefix":"203.0.113.0/24","family":"ipv4"|"ipv6"}]
//   announce  {"frr": bool (it could be asked),"announcements":[{"prefix","network","interface" (the gateway,
//   or
//            the guest's port),"host": bool,"state":"not-asked"|"announced"|"by-others"|"no-route"|"missing"|
//            "refused","why"}],"stale":[PREFIX]}
//   flows   [{"network","protocol","state","inbound": bool, "inside":{"address","port"},"outside":{...},
//            "translated":{...} (as the outside sees the inside), "age","idle","timeout" (seconds),
//            "out_packets","out_bytes","in_packets","in_bytes","bits_per_second" (since it began),
//            "interface" (the guest's port)}]; port is the echo id for ICMP
//   flows --usage  {"networks":[{"network","sessions","max_sessions"}],"ports":[{"interface", as networks}],
//            "pools":[{"network","address","protocol","sessions","ports_in_use","ports",
//            "busiest":{"address","port"},"busiest_sessions"}],
//            "allocations":{"bindings","retries","exhausted","by_retries":[]}}
//   explain {"packet","steps":[{"where","interface","verdict","details":[]}],
//            "fate": guest host outside dropped refused flooded nowhere, "interface": where it ends,
//            "reason","meaning","cause" ("" unless dropped or refused), "arrives": the packet as it comes
//            out, "notes":[]}; a packet is
//            {"text","protocol","source","destination","source_mac","destination_mac","ttl"}
//   monitor one object a line: {"time","reason","hook","interface" (where it was dropped),
//            "network","port" (whose; "" when not known),"length","protocol",
//            "source":{"address","port"} or null,"destination","source_mac","destination_mac"},
//            and where they are known "vlan","tcp_flags","icmp_type","icmp_code","later_fragment";
//            or {"not_shown": N}: so many more since the last such line
//   doctor  {"ok": bool (no problem),"checks":[{"check","question","state":"ok"|"note"|"problem"}],
//            "findings":[{"check","severity":"problem"|"note","what","why","fix"}]}
//   libvirt status  {"server":"libvirt"|"vnet-bpf"|"none" (who answers for networks),
//            "kind":"monolithic"|"modular"|"none","state":"off"|"on"|"interrupted" (of enable and disable),
//            "libvirt_version" ("" when it does not answer),"driver": the file of libvirtd's network driver
//            ("": not installed),"driver_supports_version" (true on a modular host),
//            "units":[{"unit","enabled" (as systemctl is-enabled),"active"}],
//            "networks":[{"name","uuid","active","autostart","guests":[]}]}
//   stats   networks: [{"network","ports","sessions","max_sessions", the counters of ports}]
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cli/flows.h"
#include "cli/text.h"
#include "loader/engine/host.h"

namespace vnet {
struct Finding;  // loader/doctor/doctor.h
}

namespace vnet::takeover {
struct Facts;  // loader/takeover/takeover.h
}

namespace vnet::cli {

using Json = nlohmann::ordered_json;

// What a verb prints: text, or one JSON document.
std::string render(const std::vector<NetworkSummary>& networks, bool json);
std::string render(const NetworkDetails& details, bool json);
std::string render(const std::vector<LeaseEntry>& leases, bool json);
std::string render(const std::vector<ForwardInfo>& forwards, bool json);
std::string render(const std::vector<Prefix>& blocked, bool json);
std::string render(const std::vector<PortInfo>& ports, bool json);
std::string render(const AnnouncedView& announced, bool json);
std::string render(const Stats& stats, bool json);
std::string render(const std::vector<SessionInfo>& flows, bool json);
std::string render(const Usage& usage, bool json);
std::string render(const std::vector<Finding>& findings, bool json);
std::string render(const Explanation& told, bool json);
std::string render(const takeover::Facts& facts, bool json);  // libvirt status
// render() printed, or the error of what was asked for.
template <typename Facts>
Result<void> print_facts(const Result<Facts>& facts, bool json) {
  if (!facts) return std::unexpected(facts.error());
  print(render(*facts, json));
  return {};
}
std::string document(const Json& json);  // indented, with a newline; bytes that are no UTF-8 are replaced

std::string list_text(const std::vector<NetworkSummary>& networks);
std::string show_text(const NetworkDetails& details);
std::string forwards_text(const std::vector<ForwardInfo>& forwards);
std::string leases_text(const std::vector<LeaseEntry>& leases);
std::string blocked_text(const std::vector<Prefix>& prefixes);
std::string ports_text(const std::vector<PortInfo>& ports);
std::string announced_text(const AnnouncedView& view);
std::string stats_text(const Stats& stats);
std::string flows_text(const std::vector<SessionInfo>& flows);
std::string usage_text(const Usage& usage);  // flows --usage
std::string doctor_text(const std::vector<Finding>& findings);
std::string explain_text(const Explanation& told);
std::string libvirt_text(const takeover::Facts& facts);

Json list_json(const std::vector<NetworkSummary>& networks);
Json show_json(const NetworkDetails& details);
Json forwards_json(const std::vector<ForwardInfo>& forwards);
Json leases_json(const std::vector<LeaseEntry>& leases);
Json blocked_json(const std::vector<Prefix>& prefixes);
Json ports_json(const std::vector<PortInfo>& ports);
Json announced_json(const AnnouncedView& view);
Json stats_json(const Stats& stats);
Json flows_json(const std::vector<SessionInfo>& flows);
Json usage_json(const Usage& usage);
Json doctor_json(const std::vector<Finding>& findings);
Json explain_json(const Explanation& told);
Json libvirt_json(const takeover::Facts& facts);

// monitor: a drop as a line, and how many more there were than --rate shows.
std::string drop_line(const Drop& drop, bool json);
std::string not_shown_line(std::uint64_t count, std::uint64_t rate, bool json);
std::string drop_text(const Drop& drop);  // without a newline
Json drop_json(const Drop& drop);
std::string drop_comment(const Drop& drop);  // reason, what it means, where

}  // namespace vnet::cli

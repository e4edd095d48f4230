// SPDX-License-Identifier: GPL-2.0-or-later
// The command line as values: parsed and validated before anything is touched.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/flows.h"
#include "loader/error.h"
#include "loader/host.h"

namespace vnet::cli {

struct Options {
  std::string verb;
  std::optional<std::filesystem::path> state_dir;
  bool json = false, dry_run = false, verbose = false;

  std::string network;                                 // the verb's NET
  std::optional<std::string> file;                     // define, up, block; "-": standard input
  std::string interface;                               // detach's IFACE
  bool disable = false;                                // autostart
  bool all = false;                                    // list
  bool xml = false;                                    // show
  std::optional<std::string> only_network, only_port;  // --network, --port of the verbs that look
  std::optional<double> watch_seconds;
  FlowFilter flow_filter;                       // flows
  bool usage = false;                           // flows
  std::optional<std::string> listen, textfile;  // export
  std::vector<std::string> hook;                // hook: libvirt NAME OPERATION ...
  std::vector<PortRequest> ports;               // attach; set: one
  bool all_members = false;                     // attach: ports[0] stands for each of them
  DropFilter drops;                             // monitor
  std::optional<std::string> pcap;              // monitor; "-": standard output
  Question question;                            // explain
  std::optional<std::uint64_t> count;           // monitor: end after so many
  std::string action;                           // block: add, remove, list
  std::vector<Prefix> prefixes;                 // block
};

// Text for --help and --version: to be printed, exit 0.
struct Notice {
  std::string text;
};

Result<std::variant<Options, Notice>> parse_options(const std::vector<std::string>& arguments);

struct VerbHelp {
  std::string name;
  std::vector<std::string> options;  // "--network"
  bool takes_network = false, takes_file = false, takes_interface = false;
};
std::vector<VerbHelp> describe_verbs();  // those that --help lists

inline constexpr const char* any_mac = "any";  // --mac any

// What attach and set were given, as typed; checked and turned into a request.
struct PortWords {
  std::vector<std::string> interfaces;
  std::string network, mac, inbound, model, portgroup, link;
  std::vector<std::string> ips, filters, allow;
  bool isolated = false, not_isolated = false, ip_only = false, not_ip_only = false;
};
// One for each interface, in their order; without any, one that names none.
Result<std::vector<PortRequest>> to_requests(const PortWords& words);

struct QuestionWords {
  std::string port, to, from, proto;
};
Result<Question> to_question(const QuestionWords& words);

}  // namespace vnet::cli

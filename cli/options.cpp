// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/options.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <set>

namespace vnet::cli {
namespace {

// The words behind the options as CLI11 fills them in.
struct Parsed {
  std::string state_dir, file, watch, only_network, only_port, listen, textfile, pcap, all_members;
  Options options;
  PortWords port;
  QuestionWords question;
  std::uint64_t count = 0;  // 0: not given
  std::vector<CLI::Option*> watch_options;
  std::string flow_address, flow_protocol, flow_state;
  std::vector<std::string> prefixes;
};

CLI::App* verb(CLI::App& app, const char* name, const char* what, const char* example) {
  auto* sub = app.add_subcommand(name, what);
  sub->fallthrough();
  sub->footer(fmt::format("Example:\n  {}", example));
  return sub;
}

CLI::App* network_verb(CLI::App& app, Parsed& to, const char* name, const char* what, const char* example) {
  auto* sub = verb(app, name, what, example);
  sub->add_option("NET", to.options.network, "Name of the network")->required();
  return sub;
}

void add_port_options(CLI::App* sub, PortWords& to) {
  sub->add_option(
      "--mac", to.mac,
      "The guest's MAC address, the only one allowed; any: whatever it sends from; default: learned");
  sub->add_option("--ip", to.ips, "An address of the guest (repeatable); none: no fixed ones")
      ->allow_extra_args(false);
  auto* only = sub->add_flag("--ip-only", to.ip_only, "No IPv6 address that the guest makes up beside --ip");
  sub->add_flag("--no-ip-only", to.not_ip_only, "These, too, where the network advertises a prefix")
      ->excludes(only);
  sub->add_option("--filter", to.filters,
                  "What the guest may not send (repeatable): clean-traffic, no-mac-spoofing, no-ip-spoofing, "
                  "no-arp-spoofing, no-ipv6-spoofing, no-ip-multicast; allow-dhcp-server; none: no filter")
      ->allow_extra_args(false);
  sub->add_option("--inbound", to.inbound,
                  "What may reach the guest: accept (all), established (answers) or drop (nothing)");
  sub->add_option("--allow", to.allow, "PROTO/PORT[@CIDR] let in all the same (repeatable); none: no rule")
      ->allow_extra_args(false);
  auto* isolated = sub->add_flag("--isolated", to.isolated, "No traffic with other isolated ports");
  sub->add_flag("--no-isolated", to.not_isolated, "Traffic with every port")->excludes(isolated);
  sub->add_option("--model", to.model, "The guest's network card, for display");
  sub->add_option("--portgroup", to.portgroup, "Port group of the network");
}

void add_watch(CLI::App* sub, Parsed& to, const char* what) {
  auto* option = sub->add_option("--watch", to.watch, what)->expected(0, 1)->type_name("[SECONDS]");
  to.watch_options.push_back(option);
}

void add_verbs(CLI::App& app, Parsed& to) {
  auto* define = verb(app, "define", "Validate and store a network from its libvirt XML",
                      "vnet-bpf define lab.xml\n  virsh net-dumpxml lab | vnet-bpf define -");
  define->add_option("FILE", to.file, "Network XML; - for standard input")->required();
  network_verb(app, to, "undefine", "Forget a network's definition", "vnet-bpf undefine lab");
  network_verb(app, to, "start", "Start a defined network", "vnet-bpf start lab");
  auto* stop = network_verb(app, to, "stop", "Stop a network; its definition stays", "vnet-bpf stop lab");
  stop->alias("destroy");
  network_verb(app, to, "autostart", "Start a network at boot",
               "vnet-bpf autostart lab\n  vnet-bpf autostart lab --disable")
      ->add_flag("--disable", to.options.disable, "Do not start it at boot any longer");
  auto* up = verb(app, "up", "Define and start; without FILE the built-in network `default`",
                  "vnet-bpf up\n  vnet-bpf up lab.xml");
  up->add_option("FILE", to.file, "Network XML; - for standard input");
  auto* list = verb(app, "list", "List the active networks", "vnet-bpf list --all");
  list->add_flag("--all", to.options.all, "Inactive ones too");
  network_verb(app, to, "show", "Show a network's details",
               "vnet-bpf show default\n  vnet-bpf show default --xml > default.xml")
      ->add_flag("--xml", to.options.xml, "The normalised libvirt XML");
  network_verb(app, to, "leases", "List a network's DHCP leases", "vnet-bpf leases default");
  verb(app, "run",
       "Start the networks marked with autostart, then follow changes: guests' interfaces that libvirt or "
       "QEMU plug "
       "into a network's bridge, uplinks, addresses, a dnsmasq that has died; until SIGTERM",
       "vnet-bpf run\n  systemctl enable --now vnet-bpf");

  auto* attach = verb(app, "attach", "Attach an interface to a network",
                      "vnet-bpf attach vnet0 --network default --mac 52:54:00:12:34:56\n"
                      "  vnet-bpf attach vnet0 vnet1 vnet2 --network default\n"
                      "  vnet-bpf attach --all-members default");
  auto* interfaces =
      attach->add_option("IFACE", to.port.interfaces, "Taps, veths or other interfaces of guests");
  auto* network = attach->add_option("--network", to.port.network, "Network to attach to");
  attach->add_option("--all-members", to.all_members, "Every guest's interface in the bridge of this network")
      ->excludes(interfaces)
      ->excludes(network);
  add_port_options(attach, to.port);
  auto* detach = verb(app, "detach", "Detach an interface from its network", "vnet-bpf detach vnet0");
  detach->add_option("IFACE", to.options.interface, "Attached interface")->required();
  auto* set = verb(app, "set", "Change an attached interface", "vnet-bpf set vnet0 --link down");
  set->add_option("IFACE", to.port.interfaces, "Attached interface")->required();
  add_port_options(set, to.port);
  set->add_option("--link", to.port.link, "down unplugs, up plugs");
  auto* ports = verb(app, "ports", "List attached interfaces", "vnet-bpf ports --network default");
  ports->add_option("--network", to.only_network, "Only this network's");

  auto* stats = verb(app, "stats", "Show counters and drops",
                     "vnet-bpf stats --network default\n  vnet-bpf stats --watch 2");
  stats->add_option("--network", to.only_network, "Only this network");
  stats->add_option("--port", to.only_port, "Only this interface");
  add_watch(stats, to, "Live rates every SECONDS (default 1)");
  auto* flows = verb(app, "flows", "List sessions",
                     "vnet-bpf flows --port vnet0 --proto tcp\n"
                     "  vnet-bpf flows --address 198.51.100.0/24 --watch\n  vnet-bpf flows --usage");
  flows->add_option("--network", to.only_network, "Only this network's");
  flows->add_option("--port", to.only_port, "Only this interface's; or a TCP or UDP port's");
  flows->add_option("--address", to.flow_address, "Only with this address (ADDR or ADDR/LENGTH) at any end");
  flows->add_option("--proto", to.flow_protocol, "Only tcp, udp, icmp, icmp6 or a number");
  flows->add_option("--state", to.flow_state, "Only new, established, closing or closed");
  flows->add_flag("--usage", to.options.usage,
                  "What sessions use up: limits, ports to masquerade to, retries");
  add_watch(flows, to, "The fastest sessions, every SECONDS (default 1)");

  auto* monitor = verb(app, "monitor", "Show dropped packets as they happen",
                       "vnet-bpf monitor --network default --reason spoofed-mac\n"
                       "  vnet-bpf monitor --pcap drops.pcapng");
  monitor->add_option("--network", to.only_network, "Only this network's");
  monitor->add_option("--port", to.only_port, "Only what this port's guest sends, or would get");
  monitor
      ->add_option("--reason", to.options.drops.reasons, "Only this reason (repeatable); see docs/reasons.md")
      ->allow_extra_args(false);
  monitor->add_option("--pcap", to.pcap, "Write the packets to FILE, too, as pcapng; - for standard output");
  monitor->add_option("--rate", to.options.drops.per_second, "Show no more than N a second (default 1000)")
      ->check(CLI::Range(1U, 1'000'000U));
  monitor->add_option("--count", to.count, "End after N packets")->check(CLI::PositiveNumber);

  auto* explain = verb(app, "explain", "Say what would happen to a packet, hook by hook, and why",
                       "vnet-bpf explain --port vnet0 --to 192.0.2.1:443\n"
                       "  vnet-bpf explain --port eth0 --from 198.51.100.7 --to 192.168.122.10:22");
  explain
      ->add_option("--port", to.question.port,
                   "Where it comes in: a port, an uplink, a bridge's or direct network's interface, or a "
                   "gateway (the host)")
      ->required();
  explain->add_option("--to", to.question.to, "ADDR[:PORT] that it is sent to")->required();
  explain->add_option("--from", to.question.from,
                      "ADDR[:PORT] of the sender; default: the guest's, or the host's");
  explain->add_option("--proto", to.question.proto, "tcp (a SYN), udp or icmp (an echo request)");

  auto* block = verb(app, "block", "The block list: whose packets no uplink lets in",
                     "vnet-bpf block add 203.0.113.0/24 2001:db8::/32\n"
                     "  vnet-bpf block add --file drop.txt\n  vnet-bpf block list");
  block->add_option("ACTION", to.options.action, "add, remove or list")->required();
  block->add_option("CIDR", to.prefixes, "ADDR or ADDR/LENGTH of the senders, IPv4 or IPv6");
  block->add_option("--file", to.file,
                    "Read them from FILE, one a line, # begins a comment; - for standard input");

  verb(app, "doctor", "Say what on this host is missing or in the way, and what mends it",
       "vnet-bpf doctor\n  vnet-bpf doctor --json");
  auto* metrics = verb(app, "export", "Print the counters in the Prometheus text format",
                       "vnet-bpf export --listen 127.0.0.1:9437\n"
                       "  vnet-bpf export --textfile /var/lib/prometheus/node-exporter/vnet-bpf.prom");
  metrics->add_option("--listen", to.listen, "Serve them at http://ADDR:PORT/metrics")
      ->type_name("ADDR:PORT");
  metrics->add_option("--textfile", to.textfile, "Write them to FILE.prom, for node_exporter")
      ->type_name("FILE");

  auto* completion = verb(app, "completion", "Print a completion script", "vnet-bpf completion bash");
  completion->group("");
  auto* hook =
      verb(app, "hook", "What packaging/libvirt/hooks/qemu calls", "vnet-bpf hook libvirt g1 start begin -");
  hook->group("");
  hook->add_option("WORDS", to.options.hook, "libvirt, and the hook's arguments")->required()->expected(3, 9);
  completion->add_option("SHELL", to.options.interface, "bash")->required();
}

void build(CLI::App& app, Parsed& to) {
  app.name("vnet-bpf");
  app.option_defaults()->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  app.add_option("--state-dir", to.state_dir, "Keep everything below this folder")
      ->envname("VNET_BPF_STATE_DIR");
  app.add_flag("--json", to.options.json, "Print one JSON document");
  app.add_flag("--dry-run", to.options.dry_run, "Print the steps, change nothing");
  app.add_flag("--verbose", to.options.verbose, "Messages of libbpf and the verifier on stderr");
  app.set_version_flag("--version", std::string("vnet-bpf " VNET_VERSION), "Print the version");
  app.require_subcommand(1);
  app.footer(
      "Example:\n  vnet-bpf up && vnet-bpf attach vnet0 --network default\n"
      "`vnet-bpf VERB --help` tells more about a verb.");
  add_verbs(app, to);
}

std::vector<std::string> verb_names(CLI::App& app) {
  std::vector<std::string> names;
  for (auto* sub : app.get_subcommands([](CLI::App* sub) { return !sub->get_group().empty(); }))
    names.push_back(sub->get_name());
  return names;
}

// The first word that is no global option, or "".
std::string first_word(const std::vector<std::string>& arguments) {
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--state-dir")
      ++i;
    else if (!arguments[i].starts_with("-"))
      return arguments[i];
  }
  return "";
}

Result<void> check_flows(Parsed& parsed) {
  Options& options = parsed.options;
  FlowFilter& filter = options.flow_filter;
  unsigned number = 0;
  if (auto& port = options.only_port; port && port->find_first_not_of("0123456789") != std::string::npos)
    filter.interface = *port;
  else if (port && CLI::detail::lexical_cast(*port, number) && number > 0 && number < 65536)
    filter.port = static_cast<std::uint16_t>(number);
  else if (port)
    return invalid(fmt::format("--port: '{}' is neither an interface nor a port from 1 to 65535", *port));
  if (!parsed.flow_address.empty()) filter.address = Prefix::parse(parsed.flow_address);
  if (!parsed.flow_address.empty() && !filter.address)
    return invalid(fmt::format("--address: '{}' is neither ADDR nor ADDR/LENGTH", parsed.flow_address));
  static const std::set<std::string> protocols{"tcp", "udp", "icmp", "icmp6"};
  bool is_number = CLI::detail::lexical_cast(parsed.flow_protocol, number) && number < 256;
  if (!parsed.flow_protocol.empty() && !protocols.contains(parsed.flow_protocol) && !is_number)
    return invalid(fmt::format("--proto: '{}' is neither tcp, udp, icmp, icmp6 nor a number to 255",
                               parsed.flow_protocol));
  if (!parsed.flow_protocol.empty()) filter.protocol = parsed.flow_protocol;
  static const std::set<std::string> states{"new", "established", "closing", "closed"};
  if (!parsed.flow_state.empty() && !states.contains(parsed.flow_state))
    return invalid(
        fmt::format("--state: '{}' is not one of new, established, closing, closed", parsed.flow_state));
  if (!parsed.flow_state.empty()) filter.state = parsed.flow_state;
  bool filtered = filter.interface || filter.port || filter.address || filter.protocol || filter.state;
  if (options.usage && filtered) return invalid("--usage tells of all sessions: only --network goes with it");
  return {};
}

Result<void> check_block(const std::vector<std::string>& words, Options& options) {
  if (options.action != "add" && options.action != "remove" && options.action != "list")
    return invalid(fmt::format("block: '{}' is not one of add, remove, list", options.action));
  bool changes = options.action != "list";
  if (changes && words.empty() && !options.file)
    return invalid(fmt::format("block {}: name a CIDR, or --file", options.action));
  if (!changes && (!words.empty() || options.file)) return invalid("block list: takes no CIDR and no --file");
  for (const auto& word : words) {
    auto prefix = Prefix::parse(word);
    if (!prefix) return invalid(fmt::format("block: '{}' is neither ADDR nor ADDR/LENGTH", word));
    options.prefixes.push_back(*prefix);
  }
  return {};
}

Result<void> check_export(const Options& options) {
  if (options.json) return invalid("--json: export prints the Prometheus format; stats --json prints JSON");
  if (options.listen && options.textfile) return invalid("--listen and --textfile exclude each other");
  if (options.textfile && !options.textfile->ends_with(".prom"))
    return invalid(fmt::format("--textfile: '{}' must end in .prom, or node_exporter does not read it",
                               *options.textfile));
  return {};
}

Result<void> check_attach(const Parsed& parsed) {
  bool all = !parsed.all_members.empty();
  if (!all && parsed.port.interfaces.empty())
    return invalid("attach: IFACE is required, or --all-members NET");
  if (!all && parsed.port.network.empty()) return invalid("attach: --network is required");
  bool names_a_guest = (!parsed.port.mac.empty() && parsed.port.mac != any_mac) || !parsed.port.ips.empty();
  if ((all || parsed.port.interfaces.size() > 1) && names_a_guest)
    return invalid("--mac and --ip are one guest's: attach its interface alone");
  return {};
}

// Combinations that make no sense, and numbers.
Result<Options> check(Parsed& parsed) {
  Options& options = parsed.options;
  auto some = [](std::string& text) { return text.empty() ? std::nullopt : std::optional(std::move(text)); };
  if (!parsed.state_dir.empty()) options.state_dir = parsed.state_dir;
  options.file = some(parsed.file);
  options.only_network = some(parsed.only_network);
  options.only_port = some(parsed.only_port);
  options.listen = some(parsed.listen);
  options.textfile = some(parsed.textfile);
  options.drops.network = options.only_network;
  options.drops.port = options.only_port;
  options.pcap = some(parsed.pcap);
  if (parsed.count) options.count = parsed.count;
  static const std::set<std::string> changing{"define", "undefine", "start",  "stop", "autostart",
                                              "up",     "attach",   "detach", "set",  "run"};
  if (options.verb == "block") VNET_TRY(check_block(parsed.prefixes, options));
  bool changes = changing.contains(options.verb) || (options.verb == "block" && options.action != "list");
  if (options.json && changes) return invalid(fmt::format("--json: {} prints no facts", options.verb));
  if (options.dry_run && !changes) return invalid(fmt::format("--dry-run: {} changes nothing", options.verb));
  if (options.xml && options.json) return invalid("--xml and --json exclude each other");
  if (options.verb == "attach") VNET_TRY(check_attach(parsed));
  if (options.verb == "set" && parsed.port.interfaces.size() > 1)
    return invalid("set: one interface at a time");
  if (options.verb == "attach" || options.verb == "set") {
    options.all_members = !parsed.all_members.empty();
    if (options.all_members) parsed.port.network = parsed.all_members;
    VNET_ASSIGN(options.ports, to_requests(parsed.port));
  }
  if (options.verb == "export") VNET_TRY(check_export(options));
  if (options.verb == "explain") {
    VNET_ASSIGN(options.question, to_question(parsed.question));
  }
  if (options.verb == "flows") VNET_TRY(check_flows(parsed));
  if (std::ranges::any_of(parsed.watch_options, [](auto* option) { return option->count() > 0; })) {
    if (options.usage) return invalid("--watch and --usage exclude each other");
    if (options.json) return invalid("--watch and --json exclude each other");
    double seconds = 1;
    if (!parsed.watch.empty() && (!CLI::detail::lexical_cast(parsed.watch, seconds) ||
                                  !std::isfinite(seconds) || seconds < 0.1 || seconds > 86400))
      return invalid(fmt::format("--watch: '{}' is not a number of seconds from 0.1 to 86400", parsed.watch));
    options.watch_seconds = seconds;
  }
  if (options.verb == "hook" && options.hook.front() != "libvirt")
    return invalid(fmt::format("hook: '{}' is not one of libvirt", options.hook.front()));
  if (options.verb == "completion" && options.interface != "bash")
    return invalid(fmt::format("completion: '{}' is not one of bash", options.interface));
  return options;
}

}  // namespace

Result<std::variant<Options, Notice>> parse_options(const std::vector<std::string>& arguments) {
  CLI::App app("Virtual networks of a virtualization host as an eBPF datapath");
  Parsed parsed;
  build(app, parsed);
  std::string word = first_word(arguments);
  auto named = [&](CLI::App* sub) { return sub->check_name(word); };
  if (!word.empty() && app.get_subcommands(named).empty()) {
    return invalid(fmt::format("'{}' is no verb; verbs: {}", word, fmt::join(verb_names(app), ", ")));
  }
  try {
    std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
    app.parse(reversed);
  } catch (const CLI::Success& success) {  // help, version
    std::ostringstream out, err;
    app.exit(success, out, err);
    return Notice{out.str()};
  } catch (const CLI::ParseError& error) {
    if (word.empty()) return invalid(fmt::format("no verb; verbs: {}", fmt::join(verb_names(app), ", ")));
    std::string message = error.what();
    std::ranges::replace(message, '\n', ' ');
    return invalid(fmt::format("{}: {} (see vnet-bpf {} --help)", word, message, word));
  }
  parsed.options.verb = app.get_subcommands().front()->get_name();
  VNET_ASSIGN(auto options, check(parsed));
  return options;
}

std::vector<VerbHelp> describe_verbs() {
  CLI::App app;
  Parsed parsed;
  build(app, parsed);
  std::vector<VerbHelp> all;
  for (const auto& name : verb_names(app)) {
    VerbHelp help{.name = name};
    for (const auto* option : app.get_subcommand(name)->get_options()) {
      if (option->get_positional()) {
        help.takes_network |= option->get_name() == "NET";
        help.takes_file |= option->get_name() == "FILE";
        help.takes_interface |= option->get_name() == "IFACE";
      } else {
        help.options.push_back("--" + option->get_lnames().front());
      }
    }
    all.push_back(std::move(help));
  }
  return all;
}

}  // namespace vnet::cli

// SPDX-License-Identifier: GPL-2.0-or-later
#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>
#include <sstream>

#include "cli/render.h"
#include "cli/verbs.h"
#include "loader/config/network_xml.h"

namespace vnet::cli {
namespace {

Result<std::string> read_input(const std::string& file) {
  std::ostringstream text;
  if (file == "-") {
    text << std::cin.rdbuf();
    return text.str();
  }
  std::ifstream in(file);
  if (!in) return invalid(fmt::format("reading {}: {}", file, std::strerror(errno)));
  text << in.rdbuf();
  return text.str();
}

std::string shown_name(const std::string& file) { return file == "-" ? "standard input" : file; }

// The many verbs that take a network's name and make a plan of it.
void add_named(Commands& commands, const std::string& verb, const std::string& what,
               Result<Plan> (Host::*make)(const std::string&), const std::vector<std::string>& aliases = {}) {
  auto* sub = commands.add(verb, what, fmt::format("vnet-bpf {} default", verb));
  for (const auto& alias : aliases) sub->alias(alias);
  auto name = std::make_shared<std::string>();
  sub->add_option("NET", *name, "The network's name")->required();
  sub->callback([&commands, verb, name, make] {
    commands.chosen = [verb, name, make](Host& host, const Globals& globals) {
      return carry_out(host, globals, verb, [&] { return (host.*make)(*name); });
    };
  });
}

void add_define(Commands& commands) {
  auto* sub = commands.add("define", "Validate and store a libvirt network XML", "vnet-bpf define lab.xml");
  auto file = std::make_shared<std::string>();
  sub->add_option("FILE", *file, "The XML file; - for standard input")->required();
  sub->callback([&commands, file] {
    commands.chosen = [file](Host& host, const Globals& globals) -> Result<void> {
      VNET_ASSIGN(auto xml, read_input(*file));
      return carry_out(host, globals, "define", [&] { return host.define(xml, shown_name(*file)); });
    };
  });
}

void add_up(Commands& commands) {
  auto* sub = commands.add("up", "Define and start; without FILE the built-in network `default`", "vnet-bpf up");
  auto file = std::make_shared<std::string>();
  sub->add_option("FILE", *file, "The XML file; - for standard input");
  sub->callback([&commands, file] {
    commands.chosen = [file](Host& host, const Globals& globals) -> Result<void> {
      std::optional<std::string> xml;
      if (!file->empty()) {
        VNET_ASSIGN(xml, read_input(*file));
      }
      return carry_out(host, globals, "up", [&] { return host.up(xml, file->empty() ? "" : shown_name(*file)); });
    };
  });
}

void add_autostart(Commands& commands) {
  auto* sub = commands.add("autostart", "Start the network when the host starts", "vnet-bpf autostart default");
  auto name = std::make_shared<std::string>();
  auto disable = std::make_shared<bool>(false);
  sub->add_option("NET", *name, "The network's name")->required();
  sub->add_flag("--disable", *disable, "No longer");
  sub->callback([&commands, name, disable] {
    commands.chosen = [name, disable](Host& host, const Globals& globals) {
      return carry_out(host, globals, "autostart", [&] { return host.autostart(*name, !*disable); });
    };
  });
}

void add_list(Commands& commands) {
  auto* sub = commands.add("list", "The active networks", "vnet-bpf list --all");
  auto all = std::make_shared<bool>(false);
  sub->add_flag("--all", *all, "The inactive ones, too");
  sub->callback([&commands, all] {
    commands.chosen = [all](Host& host, const Globals& globals) -> Result<void> {
      VNET_ASSIGN(auto networks, host.list());
      if (!*all) std::erase_if(networks, [](const NetworkSummary& n) { return !n.active; });
      fmt::print("{}", globals.json ? networks_json(networks).dump(2) + "\n" : networks_text(networks));
      return {};
    };
  });
}

void add_show(Commands& commands) {
  auto* sub = commands.add("show", "Details of a network", "vnet-bpf show default --xml");
  auto name = std::make_shared<std::string>();
  auto xml = std::make_shared<bool>(false);
  sub->add_option("NET", *name, "The network's name")->required();
  sub->add_flag("--xml", *xml, "The normalised libvirt XML");
  sub->callback([&commands, name, xml] {
    commands.chosen = [name, xml](Host& host, const Globals& globals) -> Result<void> {
      VNET_ASSIGN(auto details, host.show(*name));
      if (*xml) fmt::print("{}", format_network(details.network));
      else fmt::print("{}", globals.json ? details_json(details).dump(2) + "\n" : details_text(details));
      return {};
    };
  });
}

void add_leases(Commands& commands) {
  auto* sub = commands.add("leases", "The DHCP leases of a network", "vnet-bpf leases default");
  auto name = std::make_shared<std::string>();
  sub->add_option("NET", *name, "The network's name")->required();
  sub->callback([&commands, name] {
    commands.chosen = [name](Host& host, const Globals& globals) -> Result<void> {
      VNET_ASSIGN(auto leases, host.leases(*name));
      fmt::print("{}", globals.json ? leases_json(leases).dump(2) + "\n" : leases_text(leases));
      return {};
    };
  });
}

}  // namespace

void add_network_verbs(Commands& commands) {
  add_define(commands);
  add_named(commands, "undefine", "Remove a network's definition; a running network goes on until it is stopped", &Host::undefine);
  add_named(commands, "start", "Start a defined network", &Host::start);
  add_named(commands, "stop", "Stop a network; its guests stay, unplugged", &Host::stop, {"destroy"});
  add_autostart(commands);
  add_up(commands);
  add_list(commands);
  add_show(commands);
  add_leases(commands);
}

}  // namespace vnet::cli

// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/command_table.h"

#include "cli/verbs/announce.h"
#include "cli/verbs/block.h"
#include "cli/verbs/completion.h"
#include "cli/verbs/doctor.h"
#include "cli/verbs/explain.h"
#include "cli/verbs/export.h"
#include "cli/verbs/flows.h"
#include "cli/verbs/forward.h"
#include "cli/verbs/hook.h"
#include "cli/verbs/libvirt.h"
#include "cli/verbs/monitor.h"
#include "cli/verbs/networks.h"
#include "cli/verbs/port.h"
#include "cli/verbs/ports.h"
#include "cli/verbs/run.h"
#include "cli/verbs/serve.h"
#include "cli/verbs/stats.h"
#include "cli/verbs/synopsis.h"
#include "cli/verbs/update.h"
#include "cli/verbs/upgrade.h"

namespace vnet::cli {

const std::vector<Command>& commands() {
  using namespace verbs;
  static const std::vector<Command> all{
      {"define", User::Any, changes(define), "Validate and store a network from its libvirt XML",
       "vnet-bpf define lab.xml\n  virsh net-dumpxml lab | vnet-bpf define -"},
      {"undefine", User::Any, changes(undefine), "Forget a network's definition", "vnet-bpf undefine lab"},
      {"start", User::Root, changes(start), "Start a defined network", "vnet-bpf start lab"},
      {"stop", User::Root, changes(stop), "Stop a network; its definition stays", "vnet-bpf stop lab",
       "destroy"},
      {"autostart", User::Any, changes(autostart), "Start a network at boot",
       "vnet-bpf autostart lab\n  vnet-bpf autostart lab --disable"},
      {"up", User::Root, changes(up), "Define and start; without FILE the built-in network `default`",
       "vnet-bpf up\n  vnet-bpf up lab.xml"},
      {"apply", User::Root, changes(apply),
       "Make the running network what its definition, or FILE, says; nothing that stays is interrupted",
       "vnet-bpf apply lab\n  vnet-bpf apply lab lab.xml --dry-run"},
      {"update", User::Root, changes(update), "Add, change or delete one element of a network's definition",
       "vnet-bpf update default add ip-dhcp-host \\\n"
       "    \"<host mac='52:54:00:12:34:56' ip='192.168.122.10'/>\" --live --config"},
      {"upgrade", User::Root, upgrade_action(),
       "Replace the programs and maps of everything that runs by this version's; no connection is "
       "interrupted",
       "vnet-bpf upgrade --dry-run\n  vnet-bpf upgrade"},
      {"list", User::Any, looks(list), "List the active networks", "vnet-bpf list --all"},
      {"show", User::Any, looks(show), "Show a network's details",
       "vnet-bpf show default\n  vnet-bpf show default --xml > default.xml"},
      {"leases", User::Any, looks(leases), "List a network's DHCP leases", "vnet-bpf leases default"},
      {"run", User::Root, keeps_changing(run),
       "Start the networks marked with autostart, then follow changes: guests' interfaces that libvirt or "
       "QEMU plug "
       "into a network's bridge, uplinks, addresses, a dnsmasq that has died; until SIGTERM",
       "vnet-bpf run\n  systemctl enable --now vnet-bpf"},
      {"serve", User::Root, looks(serve),
       "Answer libvirt's calls about networks (virsh, virt-manager, the hypervisor's driver), until SIGTERM",
       "vnet-bpf serve --socket /run/vnet-bpf/network-sock\n"
       "  virsh -c 'network+unix:///system?socket=/run/vnet-bpf/network-sock' net-list"},
      {"libvirt", User::Root, libvirt_action(),
       "Serve libvirt's own network API in the place of libvirt's networks, or give them back",
       "vnet-bpf libvirt status\n  vnet-bpf libvirt enable --dry-run\n"
       "  vnet-bpf libvirt enable --live\n  vnet-bpf libvirt disable"},
      {"attach", User::Root, changes(attach), "Attach an interface to a network",
       "vnet-bpf attach vnet0 --network default --mac 52:54:00:12:34:56\n"
       "  vnet-bpf attach vnet0 vnet1 vnet2 --network default\n"
       "  vnet-bpf attach --all-members default"},
      {"detach", User::Root, changes(detach), "Detach an interface from its network",
       "vnet-bpf detach vnet0"},
      {"set", User::Root, changes(set), "Change an attached interface", "vnet-bpf set vnet0 --link down"},
      {"port", User::Root, changes_or_looks(port),
       "Take a guest's port to another host: its settings, addresses and counters",
       "vnet-bpf port export vnet0 > vnet0.json\n  vnet-bpf port import vnet0.json"},
      {"ports", User::Root, looks(ports), "List attached interfaces", "vnet-bpf ports --network default"},
      {"stats", User::Root, looks(stats), "Show counters and drops",
       "vnet-bpf stats --network default\n  vnet-bpf stats --watch 2"},
      {"flows", User::Root, looks(flows), "List sessions",
       "vnet-bpf flows --port vnet0 --proto tcp\n"
       "  vnet-bpf flows --address 198.51.100.0/24 --watch\n  vnet-bpf flows --usage"},
      {"monitor", User::Root, looks(monitor), "Show dropped packets as they happen",
       "vnet-bpf monitor --network default --reason spoofed-mac\n"
       "  vnet-bpf monitor --pcap drops.pcapng"},
      {"explain", User::Root, looks(explain), "Say what would happen to a packet, hook by hook, and why",
       "vnet-bpf explain --port vnet0 --to 192.0.2.1:443\n"
       "  vnet-bpf explain --port eth0 --from 198.51.100.7 --to 192.168.122.10:22"},
      {"forward", User::Root, changes_or_looks(forward, forwards),
       "Ports of the host's that are guests': add, remove, list",
       "vnet-bpf forward add default --proto tcp --port 8080 --to 192.168.122.10:80 --live --config\n"
       "  vnet-bpf forward remove default --proto tcp --port 8080\n  vnet-bpf forward list"},
      {"block", User::Root, changes_or_looks(block, blocked),
       "The block list: whose packets no uplink lets in",
       "vnet-bpf block add 203.0.113.0/24 2001:db8::/32\n"
       "  vnet-bpf block add --file drop.txt\n  vnet-bpf block list"},
      {"announce", User::Root, changes_or_looks(announce),
       "Show what the running networks announce by BGP, or have FRR announce it",
       "vnet-bpf announce\n  vnet-bpf announce --frr"},
      {"doctor", User::Root, looks(doctor),
       "Say what on this host is missing or in the way, and what mends it",
       "vnet-bpf doctor\n  vnet-bpf doctor --json"},
      {"export", User::Root, looks(export_metrics), "Print the counters in the Prometheus text format",
       "vnet-bpf export --listen 127.0.0.1:9437\n"
       "  vnet-bpf export --textfile /var/lib/prometheus/node-exporter/vnet-bpf.prom"},
      {"completion", User::Any, looks(completion), "Print a completion script", "vnet-bpf completion bash",
       "", Shown::No},
      {"hook", User::Root, looks(hook), "What packaging/libvirt/hooks/qemu calls",
       "vnet-bpf hook libvirt g1 start begin -", "", Shown::No},
      {"synopsis", User::Any, looks(synopsis), "Print the synopsis of the manual page", "vnet-bpf synopsis",
       "", Shown::No},
  };
  return all;
}

}  // namespace vnet::cli

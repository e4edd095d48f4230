# SPDX-License-Identifier: GPL-2.0-or-later
"""What is compared: the same guests and the same outside machine around different hosts.

    guest g1, g2: eth0 --- g1, g2 [host] eth0 203.0.113.2 --- 203.0.113.1 eth0 [outside]

Everything is a network namespace. Addresses are resolved beforehand, so that no neighbour expires in the
middle of a measurement.
"""
import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import tempfile
import time
from dataclasses import dataclass

SOURCE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("VNET_BUILD_DIR", os.path.join(SOURCE, "build"))
PROGRAM = os.path.join(BUILD, "vnet-bpf")
TRAFFIC = os.path.join(BUILD, "vnet-bench-traffic")

OUTSIDE = "203.0.113.1"
UPLINK = "203.0.113.2"
OUTSIDE6 = "2001:db8:113::1"
UPLINK6 = "2001:db8:113::2"
GUESTS = ("g1", "g2")


class Failed(Exception):
    pass


def run(argv, stdin=None):
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=120)
    if done.returncode != 0:
        raise Failed(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@dataclass
class Path:
    """One way through an arrangement, for the traffic tool."""
    sender: str  # NAMESPACE:INTERFACE
    receiver: str  # "": nothing may arrive
    source: str
    target: str
    source_mac: str
    target_mac: str
    tap_from: str = ""  # of guests on taps: the host's ends of sender and receiver
    tap_to: str = ""

    @property
    def client(self):
        return self.sender.split(":")[0]

    @property
    def server(self):
        return self.receiver.split(":")[0]


class Arrangement:
    """A host between two guests and the outside. Subclasses say what the host does."""
    label = ""
    serial = 0
    default_route = True
    gro_in_guests = False

    def __init__(self, networks=1, mode="nat", taps=False, ipv6=False):
        Arrangement.serial += 1
        self.taps = taps
        self.ipv6 = ipv6
        self.networks = networks
        self.mode = mode
        self.prefix = f"vb-{os.getpid()}-{Arrangement.serial}"
        self.namespaces = []
        self.background = []
        self.middle = networks // 2  # the network whose guests talk
        self.bridge = f"vb{self.middle}"
        self.paths = {}

    # -- building blocks

    def ns(self, name):
        return f"{self.prefix}-{name}"

    def add_namespace(self, name):
        run(["ip", "netns", "add", self.ns(name)])
        self.namespaces.append(name)
        self.ip(name, "link set lo up")

    def ip(self, name, *commands):
        run(["ip", "-n", self.ns(name), "-batch", "-"], "\n".join(commands) + "\n")

    def inside(self, name, *argv, stdin=None):
        return run(["ip", "netns", "exec", self.ns(name), *argv], stdin)

    def mac(self, name, interface):
        return json.loads(run(["ip", "-n", self.ns(name), "-j", "link", "show", interface]))[0]["address"]

    def address(self, guest):
        return f"10.20.{self.middle}.{11 + GUESTS.index(guest)}"

    @property
    def gateway(self):
        return f"10.20.{self.middle}.1"

    def address6(self, guest):
        return f"fd00:20:{self.middle:x}::{11 + GUESTS.index(guest)}"

    def cable(self, host_end, name):
        """A pair between the host and another namespace, whose end is eth0."""
        self.ip("host", f"link add {host_end} type veth peer name eth0 netns {self.ns(name)}",
                f"link set {host_end} up")
        self.ip(name, "link set eth0 up")
        # Live frames, and what XDP redirects, need a NAPI context to arrive in.
        self.inside("host", "ethtool", "-K", host_end, "gro", "on")
        if self.gro_in_guests:
            self.inside(name, "ethtool", "-K", "eth0", "gro", "on")

    def tap_pair(self, guest):
        """The same for a guest on a tap: what its namespace sends reaches the host while a relay runs."""
        for name, tap in (("host", guest), (guest, "eth0")):
            self.ip(name, f"tuntap add dev {tap} mode tap vnet_hdr", f"link set {tap} up")

    @contextlib.contextmanager
    def guests_running(self):
        if not self.taps:
            yield
            return
        ends = [end for guest in GUESTS for end in (f"{self.ns('host')}:{guest}", f"{self.ns(guest)}:eth0")]
        process = subprocess.Popen([TRAFFIC, "relay", *ends], stdout=subprocess.PIPE, text=True)
        try:
            if process.stdout.readline().strip() != "ready":
                raise Failed("the guests' relay did not start")
            yield
        finally:
            process.kill()
            process.wait()

    def build(self):
        for name in ("host", "outside", *GUESTS):
            self.add_namespace(name)
        # Where br_netfilter is loaded, bridged frames would walk the FORWARD rules, too.
        self.inside("host", "sh", "-c", "for f in /proc/sys/net/bridge/bridge-nf-call-*; do "
                    "[ ! -e $f ] || echo 0 > $f; done")
        self.cable("eth0", "outside")
        for guest in GUESTS:
            (self.tap_pair(guest) if self.taps else self.cable(guest, guest))
            self.ip(guest, f"addr add {self.address(guest)}/24 dev eth0")
        self.ip("host", f"addr add {UPLINK}/24 dev eth0")
        self.ip("outside", f"addr add {OUTSIDE}/24 dev eth0")
        if self.ipv6:
            self.add_ipv6_addresses()
        self.configure()
        self.connect()
        if self.ipv6:
            self.connect_ipv6()
        if self.taps:
            self.name_taps()
        with self.guests_running():
            self.wait_until_reachable()
        return self

    def name_taps(self):
        g1, g2 = (f"{self.ns('host')}:{guest}" for guest in GUESTS)
        for name, path in self.paths.items():
            path.tap_from = g1
            path.tap_to = {"guest-guest": g2, "answers": g1}.get(name, "")

    def wait_until_reachable(self):
        """A new bridge's ports take their time to forward."""
        for way in ("guest-guest", "outbound"):
            if way in self.paths:
                path = self.paths[way]
                run(["ip", "netns", "exec", path.client, "ping", "-q", "-c1", "-w5", "-i0.1", path.target])

    def configure(self):
        raise NotImplementedError

    def connect(self):
        """Neighbours on all sides, and the paths."""
        gateway_mac = self.mac("host", self.bridge)
        uplink_mac, outside_mac = self.mac("host", "eth0"), self.mac("outside", "eth0")
        macs = {guest: self.mac(guest, "eth0") for guest in GUESTS}
        for guest in GUESTS:
            other = GUESTS[1 - GUESTS.index(guest)]
            self.ip(guest, f"route add default via {self.gateway}",
                    f"neigh replace {self.gateway} lladdr {gateway_mac} dev eth0",
                    f"neigh replace {self.address(other)} lladdr {macs[other]} dev eth0")
            self.ip("host", f"neigh replace {self.address(guest)} lladdr {macs[guest]} dev {self.bridge}")
            self.inside("host", "bridge", "fdb", "replace", macs[guest], "dev", guest, "master", "static")
        self.ip("host", f"neigh replace {OUTSIDE} lladdr {outside_mac} dev eth0", f"route add default via {OUTSIDE}")
        self.ip("outside", f"neigh replace {UPLINK} lladdr {uplink_mac} dev eth0",
                f"route add 10.20.0.0/16 via {UPLINK}")
        g1, g2 = GUESTS
        places = {name: f"{self.ns(name)}:eth0" for name in ("outside", *GUESTS)}
        self.paths = {
            "guest-guest": Path(places[g1], places[g2], self.address(g1), self.address(g2), macs[g1], macs[g2]),
            "outbound": Path(places[g1], places["outside"], self.address(g1), OUTSIDE, macs[g1], gateway_mac),
            "answers": Path(places["outside"], places[g1], OUTSIDE, UPLINK, outside_mac, uplink_mac),
            "routed": Path(places["outside"], places[g2], OUTSIDE, self.address(g2), outside_mac, uplink_mac),
            "inbound": Path(places["outside"], "", OUTSIDE, self.address(g2), outside_mac, uplink_mac),
        }

    def add_ipv6_addresses(self):
        for guest in GUESTS:
            self.ip(guest, f"addr add {self.address6(guest)}/64 dev eth0 nodad")
        self.ip("host", f"addr add {UPLINK6}/64 dev eth0 nodad")
        self.ip("outside", f"addr add {OUTSIDE6}/64 dev eth0 nodad")
        self.inside("host", "sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/all/forwarding")

    def connect_ipv6(self):
        """The same guests, in IPv6: the paths' packets only, no sockets."""
        for name in ("guest-guest", "outbound"):
            if name not in self.paths:
                continue
            target = self.address6(GUESTS[1]) if name == "guest-guest" else OUTSIDE6
            self.paths[f"{name} IPv6"] = dataclasses.replace(self.paths[name], source=self.address6(GUESTS[0]),
                                                             target=target)
        if "inbound" in self.paths:  # there is a host that routes
            self.ip("host", f"neigh replace {OUTSIDE6} lladdr {self.mac('outside', 'eth0')} dev eth0",
                    *(f"neigh replace {self.address6(guest)} lladdr {self.mac(guest, 'eth0')} dev {self.bridge}"
                      for guest in GUESTS))

    def refused(self):
        """How many packets from outside the host has refused so far."""
        raise NotImplementedError

    def remove(self):
        for process in self.background:
            process.kill()
            process.wait()
        for name in self.namespaces:
            subprocess.run(["ip", "netns", "del", self.ns(name)], capture_output=True)
        self.namespaces = []


class Libvirt(Arrangement):
    """(a) A Linux bridge and libvirt's own rules, nftables backend."""
    label = "bridge + nftables"
    without_csum = False

    def configure(self):
        lines = []
        for n in range(self.networks):
            lines += [f"link add vb{n} type bridge", f"addr add 10.20.{n}.1/24 dev vb{n}", f"link set vb{n} up"]
        lines += [f"link set {guest} master {self.bridge}" for guest in GUESTS]
        self.ip("host", *lines)
        self.inside("host", "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward")
        self.inside("host", "nft", "-f", "-", stdin=self.rules())
        if self.ipv6:
            self.ip("host", *(f"addr add fd00:20:{n:x}::1/64 dev vb{n} nodad" for n in range(self.networks)))
            self.inside("host", "nft", "-f", "-", stdin=self.rules("ip6", "fd00:20:{:x}::/64", ("ff02::/16",)))
        for n in range(self.networks):
            self.repair_dhcp_replies(f"vb{n}")

    def repair_dhcp_replies(self, bridge):
        """libvirt's own way since it has an nftables backend; a kernel without act_csum goes without."""
        self.inside("host", "tc", "qdisc", "add", "dev", bridge, "root", "handle", "1:", "htb", "default", "2")
        try:
            self.inside("host", "tc", "filter", "add", "dev", bridge, "prio", "2", "protocol", "ip", "parent", "1:",
                        "u32", "match", "ip", "dport", "68", "ffff", "action", "csum", "ip", "and", "udp")
        except Failed:
            self.inside("host", "tc", "qdisc", "del", "dev", bridge, "root")
            Libvirt.without_csum = True

    def rules(self, ip="ip", subnet="10.20.{:d}.0/24", groups=("224.0.0.0/24", "255.255.255.255/32")):
        cross, inward, outward, nat = [], [], [], []
        for n in range(self.networks):
            bridge, net = f"vb{n}", subnet.format(n)
            cross.append(f"iif {bridge} oif {bridge} counter accept")
            state = "ct state related,established " if self.mode == "nat" else ""
            inward += [f"oif {bridge} {ip} daddr {net} {state}counter accept",
                       f"oif {bridge} counter reject"]
            outward += [f"{ip} saddr {net} iif {bridge} counter accept", f"iif {bridge} counter reject"]
            if self.mode != "nat":
                continue
            nat += [f"{ip} saddr {net} {ip} daddr {group} counter return" for group in groups]
            nat += [f"meta l4proto {proto} {ip} saddr {net} {ip} daddr != {net} counter masquerade to :1024-65535"
                    for proto in ("tcp", "udp")]
            nat.append(f"{ip} saddr {net} {ip} daddr != {net} counter masquerade")
        chain = "  chain {} {{\n    {}\n  }}\n"
        return (f"table {ip} libvirt_network {{\n" +
                chain.format("guest_cross", "\n    ".join(cross)) +
                chain.format("guest_input", "\n    ".join(inward)) +
                chain.format("guest_output", "\n    ".join(outward)) +
                chain.format("forward", "type filter hook forward priority filter; policy accept;\n    "
                             "counter jump guest_cross\n    counter jump guest_input\n    counter jump guest_output") +
                chain.format("guest_nat", "type nat hook postrouting priority 100; policy accept;\n    " +
                             "\n    ".join(nat)) + "}\n")

    def refused(self):
        listing = json.loads(self.inside("host", "nft", "-j", "list", "chain", "ip", "libvirt_network", "guest_input"))
        rules = [item["rule"]["expr"] for item in listing["nftables"] if "rule" in item]
        return sum(part["counter"]["packets"] for rule in rules if "reject" in rule[-1]
                   for part in rule if "counter" in part)


class FlowTable(Libvirt):
    """(a) with nftables' own fast path: what is established goes past the chains, from device to device."""
    label = "bridge + nftables + flowtable"

    @staticmethod
    def missing():
        """Why this kernel cannot have one; "" when it can."""
        table = "add table ip t; add flowtable ip t f { hook ingress priority 0; devices = { lo }; }"
        try:
            run(["unshare", "-n", "nft", table])
        except Failed as problem:
            return f"this kernel has no nftables flow tables: {str(problem).splitlines()[0]}"
        return ""

    def rules(self, *family):
        devices = ", ".join(["eth0", *(f"vb{n}" for n in range(self.networks))])
        flow = f"  flowtable fast {{ hook ingress priority filter; devices = {{ {devices} }}; }}\n"
        return super().rules(*family).replace("table ip libvirt_network {\n", "table ip libvirt_network {\n" + flow).replace(
            "priority filter; policy accept;\n", "priority filter; policy accept;\n    "
            "meta l4proto { tcp, udp } ct state established flow add @fast\n")


class Vnet(Arrangement):
    """(b), (c) vnet-bpf."""

    def __init__(self, networks=1, firewall="honor", mode="nat", per_port=1 << 20, xdp="off", taps=False,
                 ipv6=False, gro=False):
        super().__init__(networks, mode, taps, ipv6)
        self.firewall = firewall
        self.per_port = per_port
        self.xdp = xdp
        self.gro_in_guests = gro
        self.label = f"vnet-bpf {firewall}" + ("" if xdp == "off" else f", XDP {xdp}")
        self.state = None
        self.start_seconds = []
        self.attach_seconds = []

    def vnet(self, *argv):
        return self.inside("host", PROGRAM, "--state-dir", self.state, *argv)

    def xml(self, n):
        nat6 = '<nat ipv6="yes"/>' if self.ipv6 else ""
        ip6 = f'<ip family="ipv6" address="fd00:20:{n:x}::1" prefix="64"/>' if self.ipv6 else ""
        return f"""<network>
  <metadata><vnet:network xmlns:vnet="urn:vnet-bpf:network:1">
    <vnet:hostFirewall mode="{self.firewall}"/>
    <vnet:xdp mode="{self.xdp}"/>
    <vnet:sessions max="1048576" perPort="{self.per_port}"/>
  </vnet:network></metadata>
  <name>n{n}</name><forward mode="{self.mode}">{nat6}</forward><bridge name="vb{n}" stp="off"/><dns enable="no"/>
  <ip address="10.20.{n}.1" netmask="255.255.255.0"/>{ip6}
</network>
"""

    def configure(self):
        self.state = tempfile.mkdtemp(prefix="vb-state-")
        run(["mount", "-t", "tmpfs", "tmpfs", self.state])  # /run is in memory, too
        os.mkdir(os.path.join(self.state, "bpf"))
        run(["mount", "-t", "bpf", "bpf", os.path.join(self.state, "bpf")])
        self.ip("host", f"route add default via {OUTSIDE}")
        if self.ipv6:
            self.ip("host", f"route add default via {OUTSIDE6}")
        for n in range(self.networks):
            file = os.path.join(self.state, f"n{n}.xml")
            with open(file, "w", encoding="utf-8") as out:
                out.write(self.xml(n))
            start = time.monotonic()
            self.vnet("up", file)
            self.start_seconds.append(time.monotonic() - start)
        self.attach()
        self.ip("host", "route del default")  # connect() sets it

    def attach(self):
        for guest in GUESTS:
            start = time.monotonic()
            self.vnet("attach", guest, "--network", f"n{self.middle}", "--mac", self.mac(guest, "eth0"))
            self.attach_seconds.append(time.monotonic() - start)

    @contextlib.contextmanager
    def monitored(self, provoke):
        """While `vnet-bpf monitor` runs; provoke() makes it show the first drop."""
        with open(os.path.join(self.state, "drops"), "w+", encoding="utf-8") as shown:
            process = subprocess.Popen(["ip", "netns", "exec", self.ns("host"), PROGRAM, "--state-dir", self.state,
                                        "monitor"], stdout=shown, stderr=subprocess.DEVNULL)
            try:
                limit = time.monotonic() + 20
                while not os.path.getsize(shown.name):
                    if process.poll() is not None or time.monotonic() > limit:
                        raise Failed("the monitor shows nothing")
                    provoke()
                yield
            finally:
                process.terminate()
                process.wait()

    def refused(self):
        stats = json.loads(self.vnet("stats", "--json"))
        return sum(n for uplink in stats["uplinks"] for n in uplink["drops"].values())

    def session_memory(self):
        """Bytes that the session maps take."""
        total = 0
        for name in ("sessions", "reverse", "wheel"):
            found = json.loads(run(["bpftool", "-j", "map", "show", "pinned", self.pin(name)]))
            total += found["bytes_memlock"]
        return total

    def pin(self, name):
        for folder, _, files in os.walk(os.path.join(self.state, "bpf")):
            if name in files:
                return os.path.join(folder, name)
        raise Failed(f"no pinned map called {name}")

    def remove(self):
        super().remove()
        if self.state:
            subprocess.run(["umount", os.path.join(self.state, "bpf"), self.state], capture_output=True)
            shutil.rmtree(self.state, ignore_errors=True)


class Crowd(Vnet):
    """vnet-bpf with very many guests in the network, of which two talk."""

    def __init__(self, ports):
        super().__init__()
        self.ports = ports
        self.label = f"{ports:,} ports"
        self.crowd_seconds = 0.0

    def attach(self):
        super().attach()
        self.add_namespace("crowd")
        # All of them turn up within a second: their IPv6 chatter, flooded to all, would be what is measured.
        for name in ("host", "crowd"):
            self.inside(name, "sysctl", "-qw", "net.ipv6.conf.default.disable_ipv6=1")
        others = range(self.ports - len(GUESTS))
        self.ip("host", *(f"link add c{i} type veth peer name c{i} netns {self.ns('crowd')}" for i in others))
        self.ip("crowd", *(f"link set c{i} up" for i in others))
        self.ip("host", *(f"link set c{i} master {self.bridge}" for i in others))
        start = time.monotonic()
        self.vnet("attach", "--all-members", f"n{self.middle}")
        self.crowd_seconds = time.monotonic() - start


class Redirect(Arrangement):
    """(d) A program that only redirects, between the guests or between g1 and the uplink: the limit."""
    label = "bare redirect"

    def __init__(self, outward, taps=False, ipv6=False):
        super().__init__(taps=taps, ipv6=ipv6)
        self.outward = outward

    def configure(self):
        pass

    def connect(self):
        g1, g2 = GUESTS
        far = "outside" if self.outward else g2
        far_end = "eth0" if self.outward else g2
        far_address = OUTSIDE if self.outward else self.address(g2)
        host = self.ns("host")
        process = subprocess.Popen(
            [TRAFFIC, "redirect", *([] if self.taps else ["--peer"]), f"{host}:{g1}", f"{host}:{far_end}", f"{host}:{far_end}", f"{host}:{g1}"],
            stdout=subprocess.PIPE, text=True)
        self.background.append(process)
        if process.stdout.readline().strip() != "ready":
            raise Failed("the redirecting program did not start")
        near_mac, far_mac = self.mac(g1, "eth0"), self.mac(far, "eth0")
        self.ip(g1, f"route replace {far_address}/32 dev eth0", f"neigh replace {far_address} lladdr {far_mac} dev eth0")
        self.ip(far, f"route replace {self.address(g1)}/32 dev eth0",
                f"neigh replace {self.address(g1)} lladdr {near_mac} dev eth0")
        self.paths = {}
        self.paths["outbound" if self.outward else "guest-guest"] = Path(
            f"{self.ns(g1)}:eth0", f"{self.ns(far)}:eth0", self.address(g1), far_address, near_mac, far_mac)
        if self.outward:
            self.paths["answers"] = Path(f"{self.ns(far)}:eth0", f"{self.ns(g1)}:eth0", far_address,
                                         self.address(g1), far_mac, near_mac)


class Cable(Arrangement):
    """(e) One veth pair between two namespaces: the guest's eth0 and the far end's."""
    label = "bare cable"

    def build(self):
        self.add_namespace("host")
        self.add_namespace("g1")
        self.cable("eth0", "g1")
        self.ip("host", f"addr add {OUTSIDE}/24 dev eth0")
        self.ip("g1", f"addr add {UPLINK}/24 dev eth0")
        near, far = self.mac("g1", "eth0"), self.mac("host", "eth0")
        self.ip("host", f"neigh replace {UPLINK} lladdr {near} dev eth0")
        self.ip("g1", f"neigh replace {OUTSIDE} lladdr {far} dev eth0")
        path = Path(f"{self.ns('g1')}:eth0", f"{self.ns('host')}:eth0", UPLINK, OUTSIDE, near, far)
        self.paths = {"guest-guest": path, "outbound": path}
        return self

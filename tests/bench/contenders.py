# SPDX-License-Identifier: GPL-2.0-or-later
"""The hosts that are compared: what each of them does between the guests and outside."""
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time

from arrangement import (GUESTS, OUTSIDE, OUTSIDE6, PROGRAM, TRAFFIC, UPLINK, Arrangement, Failed, Path, run, run_json,
                         start_helper)


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
                 ipv6=False, gro=False, program=PROGRAM):
        super().__init__(networks, mode, taps, ipv6)
        self.program = program
        self.firewall = firewall
        self.per_port = per_port
        self.xdp = xdp
        self.gro_in_guests = gro
        self.label = f"vnet-bpf {firewall}" + ("" if xdp == "off" else f", XDP {xdp}")
        self.state = None
        self.start_seconds = []
        self.attach_seconds = []

    def vnet(self, *argv):
        return self.inside("host", self.program, "--state-dir", self.state, *argv)

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
            process = subprocess.Popen(["ip", "netns", "exec", self.ns("host"), self.program, "--state-dir", self.state,
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
        for name in ("sessions", "rev_nat", "timer_wheel"):
            found = run_json(["bpftool", "-j", "map", "show", "pinned", self.pin(name)])
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
        near, far_end = f"{host}:{g1}", f"{host}:{far_end}"
        self.background.append(start_helper(
            [TRAFFIC, "redirect", *([] if self.taps else ["--peer"]), near, far_end, far_end, near]))
        near_mac, far_mac = self.mac(g1, "eth0"), self.mac(far, "eth0")
        self.ip(g1, f"route replace {far_address}/32 dev eth0",
                f"neigh replace {far_address} lladdr {far_mac} dev eth0")
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

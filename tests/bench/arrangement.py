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
import select
import subprocess
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


class Unbuilt(dict):
    """The paths of an arrangement that could not be set up: whoever wants one is told why."""

    def __init__(self, reason):
        super().__init__()
        self.reason = reason

    def __missing__(self, name):
        raise Failed(self.reason)


def run(argv, stdin=None, limit=120):
    try:
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, timeout=limit)
    except subprocess.TimeoutExpired as problem:
        raise Failed(f"{' '.join(argv)}: no end after {limit} s") from problem
    except OSError as problem:
        raise Failed(f"{argv[0]}: {problem.strerror}") from problem
    if done.returncode != 0:
        how = f"killed by signal {-done.returncode}" if done.returncode < 0 else f"status {done.returncode}"
        raise Failed(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip() or how}")
    return done.stdout


def run_json(argv):
    text = run(argv)
    try:
        return json.loads(text)
    except ValueError as problem:
        raise Failed(f"{' '.join(argv)}: no JSON, but {text.strip()[:80]!r}") from problem


def start_helper(argv, limit=20):
    """A process that stays, once it has said that it is ready."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    readable, _, _ = select.select([process.stdout], [], [], limit)
    if not readable or process.stdout.readline().strip() != "ready":
        process.kill()
        process.communicate()
        raise Failed(f"{' '.join(argv)}: did not get ready")
    return process


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
        return run_json(["ip", "-n", self.ns(name), "-j", "link", "show", interface])[0]["address"]

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
        process = start_helper([TRAFFIC, "relay", *ends])
        try:
            yield
            if process.poll() is not None:
                raise Failed("the guests' relay ended meanwhile")
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

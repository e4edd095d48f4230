# SPDX-License-Identifier: GPL-2.0-or-later
"""vnet-bpf beside the other ways to connect guests: all cases of `make bench`."""
import json

from arrangement import run
from contenders import FlowTable, Libvirt, Redirect, Vnet
from hosts import UNITS, Hosts
from measure import Case, Ratio, median, packet_rate, quotient, refusal_rate, socket_rate, tap_rate
import picture

FLOWS = (1, 1000, 100000)


class Contenders(Hosts):
    def __init__(self, options):
        super().__init__(options)
        self.without_flow_table = FlowTable.missing()

    def build_all(self):
        counts = self.options.networks
        self.bypass = Vnet(1, firewall="bypass")
        self.to_guest, self.to_outside = Redirect(outward=False), Redirect(outward=True)
        self.crowded = Vnet(1)  # the one with very many flows, which live on for minutes
        self.xdp = Vnet(1, xdp="filter")
        # Alike but for what is measured: GRO in the guests, as XDP forward needs it at a veth.
        self.forward = {taps: [Vnet(1, xdp=mode, taps=taps, gro=True) for mode in ("off", "filter", "forward")]
                        for taps in (False, True)}
        self.routed = (Libvirt(1, mode="route"), Vnet(1, mode="route"))
        self.taps = (Redirect(outward=False, taps=True), Redirect(outward=True, taps=True), Libvirt(1, taps=True),
                     Vnet(1, taps=True))
        self.ipv6 = (Redirect(outward=False, ipv6=True), Redirect(outward=True, ipv6=True), Libvirt(1, ipv6=True),
                     Vnet(1, ipv6=True))
        self.libvirt = {n: Libvirt(n) for n in counts}
        self.honor = {n: Vnet(n) for n in counts}
        largest_first = sorted(self.honor.values(), key=lambda a: -a.networks)
        self.build_together([*largest_first, *self.libvirt.values(), self.bypass, self.crowded, self.xdp,
                             *self.forward[False], *self.forward[True], *self.routed, *self.taps, *self.ipv6,
                             self.cable, self.other_cable, self.to_guest, self.to_outside])
        self.few = counts[0]

    def named(self, by_count):
        return {f"{a.label}, {n}": a for n, a in by_count.items()}

    def cases(self):
        yield from self.noise()
        yield self.rates("guest-guest", self.to_guest, {1: 1.4}, 0.85)
        yield self.rates("outbound", self.to_outside, {1: 2.5, 32: 5, 256: 15}, 0.75)
        yield self.answers()
        if not self.without_flow_table:
            yield from self.flow_tables()
        yield self.from_outside()
        yield self.refusals()
        yield self.xdp_refusals()
        yield self.xdp_answers("veths", taps=False)
        yield self.xdp_answers("taps", taps=True)
        yield self.watched()
        for name in ("guest-guest", "outbound"):
            for flows in FLOWS:
                yield self.flow_counts(name, flows)
        for kind, title in (("tcp-rr", "TCP round trips"), ("udp-rr", "UDP round trips")):
            yield self.sockets(kind, title, {"honor guest-guest": 0.95, "honor masqueraded": 0.92})
        yield self.sockets("connect", "TCP connections", {"honor masqueraded": 0.87, "bypass masqueraded": 0.93})
        yield self.sockets("udp-connect", "UDP connections", {"honor masqueraded": 0.87, "bypass masqueraded": 0.93})
        for kind, title in (("bulk", "bulk TCP up"), ("bulk-down", "bulk TCP down")):
            yield self.sockets(kind, title, {"honor guest-guest": 0.95, "honor masqueraded": 0.95})

        yield from self.taps_cases()
        for way in ("guest-guest", "outbound"):
            yield self.between(f"IPv6: {way} packet rate", "packets/s", self.ipv6, way,
                               lambda a, way=way: self.rate_of(a, f"{way} IPv6")())

    def taps_cases(self):
        for way, kinds in (("guest-guest", ("tcp-rr", "bulk")), ("outbound", ("tcp-rr", "bulk", "bulk-down"))):
            yield self.taps_case(way, "packet rate", "packets/s", lambda a, p: tap_rate(p, self.options.seconds))
            for kind in kinds:
                title, unit = {"tcp-rr": ("TCP round trips", "per s"), "bulk": ("bulk TCP up", "bit/s"),
                               "bulk-down": ("bulk TCP down", "bit/s")}[kind]
                yield self.taps_case(way, title, unit, lambda a, p, kind=kind: self.tap_sockets(a, p, kind))

    def taps_case(self, way, what, unit, once):
        """Guests on taps, their frames carried by one process on the same CPU."""
        return self.between(f"taps: {way} {what}", unit, self.taps, way, lambda a: once(a, a.paths[way]))

    def between(self, name, unit, arrangements, way, once):
        """vnet-bpf, the rules, and the redirect that leads this way."""
        to_guest, to_outside, libvirt, vnet = arrangements
        entries = {a.label: a for a in (to_guest if way == "guest-guest" else to_outside, libvirt, vnet)}
        return Case(name, unit, {label: lambda a=a: once(a) for label, a in entries.items()},
                    [Ratio(vnet.label, libvirt.label), Ratio(vnet.label, "bare redirect")], self.options.rounds)

    def tap_sockets(self, arrangement, path, kind):
        with arrangement.guests_running():
            run(["ip", "netns", "exec", path.client, "ping", "-q", "-c1", "-w5", "-i0.1", path.target])
            return socket_rate(path, kind, self.options.seconds)

    def rates(self, name, redirect, against_nft, against_redirect):
        entries = {"bare cable": self.cable, "bare redirect": redirect, **self.named(self.libvirt),
                   **self.named(self.honor)}
        if name == "outbound":
            entries["vnet-bpf bypass, 1"] = self.bypass
        ratios = [Ratio(f"vnet-bpf honor, {n}", f"bridge + nftables, {n}", against_nft.get(n, 0))
                  for n in self.options.networks]
        few = f"vnet-bpf honor, {self.few}"
        ratios.append(Ratio(few, "bare redirect", against_redirect))
        ratios += [Ratio(f"vnet-bpf honor, {n}", few, 0.95) for n in self.options.networks if n > self.few]
        return Case(f"{name} packet rate, by networks", "packets/s",
                    {label: self.rate_of(a, name) for label, a in entries.items()}, ratios, self.options.rounds)

    def answers(self):
        entries = {"bare redirect": self.to_outside, "bridge + nftables": self.libvirt[self.few],
                   "vnet-bpf honor": self.honor[self.few]}
        return Case("answers packet rate", "packets/s", {label: self.answers_of(a) for label, a in entries.items()},
                    [Ratio("vnet-bpf honor", "bridge + nftables"), Ratio("vnet-bpf honor", "bare redirect")],
                    self.options.rounds)

    def flow_tables(self):
        """nftables with its fast path, both ways; a flow enters the table once both sides have been heard."""
        with_table = self.build(FlowTable(1))
        entries = {"bare redirect": self.to_outside, "bridge + nftables": self.libvirt[self.few],
                   with_table.label: with_table, "vnet-bpf honor": self.honor[self.few]}

        def once(arrangement, name):
            for way in ("outbound", "answers"):
                packet_rate(arrangement.paths[way], seconds=0.05, warm_up=0, answers=way == "answers")
            return packet_rate(arrangement.paths[name], seconds=self.options.seconds, answers=name == "answers")["rate"]

        for name in ("outbound", "answers"):
            yield Case(f"flowtable: {name} packet rate", "packets/s",
                       {label: lambda a=a, n=name: once(a, n) for label, a in entries.items()},
                       [Ratio("vnet-bpf honor", with_table.label), Ratio(with_table.label, "bridge + nftables"),
                        Ratio("vnet-bpf honor", "bridge + nftables")],
                       self.options.rounds)

    def from_outside(self):
        """New flows and known ones, to a guest of a routed network."""
        return Case("outside to guest, routed", "packets/s",
                    {a.label: self.rate_of(a, "routed") for a in self.routed},
                    [Ratio("vnet-bpf honor", "bridge + nftables")], self.options.rounds)

    def refusals(self):
        counts = (self.few, self.options.networks[-1])
        entries = {**self.named({n: self.libvirt[n] for n in counts}), **self.named({n: self.honor[n] for n in counts})}
        return Case("unsolicited inbound, refused", "packets/s",
                    {label: lambda a=a: refusal_rate(a) for label, a in entries.items()},
                    [Ratio(f"vnet-bpf honor, {n}", f"bridge + nftables, {n}") for n in counts], self.options.rounds)

    def xdp_refusals(self):
        """The same, with the uplink's XDP program in front."""
        entries = {a.label: a for a in (self.libvirt[self.few], self.honor[self.few], self.xdp)}
        return Case("xdp: unsolicited inbound, refused", "packets/s",
                    {label: lambda a=a: refusal_rate(a) for label, a in entries.items()},
                    [Ratio(self.xdp.label, "bridge + nftables", 10), Ratio(self.xdp.label, "vnet-bpf honor")],
                    self.options.rounds)

    def xdp_answers(self, kind, taps):
        """Small answers from outside to a guest, by tc and by XDP."""
        off, filtering, forwarding = self.forward[taps]

        def once(arrangement):
            path = arrangement.paths["outbound"]
            if taps:
                tap_rate(path, 0.05)
            else:
                packet_rate(path, seconds=0.05, warm_up=0)
            return packet_rate(arrangement.paths["answers"], seconds=self.options.seconds, answers=True)["rate"]

        return Case(f"xdp: answers to {kind}", "packets/s",
                    {a.label: lambda a=a: once(a) for a in (off, filtering, forwarding)},
                    [Ratio(forwarding.label, filtering.label), Ratio(forwarding.label, off.label)],
                    self.options.rounds)

    def watched(self):
        """A flood of drops, with nobody watching and with `monitor` running."""
        host = self.honor[self.few]

        def with_monitor():
            path = host.paths["inbound"]
            with host.monitored(lambda: packet_rate(path, seconds=0.01, warm_up=0)):
                return refusal_rate(host)

        return Case("monitor: drops under a flood", "packets/s",
                    {"nobody watches": lambda: refusal_rate(host), "monitor": with_monitor},
                    [Ratio("monitor", "nobody watches", 0.95)], self.options.rounds)

    def flow_counts(self, name, flows):
        entries = {"bridge + nftables": self.libvirt[self.few], "vnet-bpf honor": self.crowded}
        return Case(f"{name} packet rate, {flows:,} flow{'s' if flows > 1 else ''}", "packets/s",
                    {label: self.rate_of(a, name, flows) for label, a in entries.items()},
                    [Ratio("vnet-bpf honor", "bridge + nftables")], min(3, self.options.rounds))

    def sockets(self, kind, title, goals):
        n = self.few
        ways = {"bare cable": (self.cable, "outbound"),
                "bare redirect": (self.to_outside, "outbound"),
                "bridge guest-guest": (self.libvirt[n], "guest-guest"),
                "honor guest-guest": (self.honor[n], "guest-guest"),
                "nftables masqueraded": (self.libvirt[n], "outbound"),
                "honor masqueraded": (self.honor[n], "outbound"),
                "bypass masqueraded": (self.bypass, "outbound")}
        ratios = [Ratio(of, "bare cable", goals.get(of, 0)) for of in ways if of != "bare cable"]
        return Case(title, UNITS[kind], {label: self.sockets_of(a, p, kind) for label, (a, p) in ways.items()}, ratios,
                    self.options.rounds)

    def time_hooks(self, found, results):
        """Into `found`, way by way."""
        for label, arrangement in (("honor", self.honor[self.few]), ("bypass", self.bypass)):
            host = arrangement.ns("host")
            hooks = [f"{host}:{d}" for d in ("g1", "g2", "eth0", arrangement.bridge)]
            for name in ("guest-guest", "outbound", "answers", "inbound"):
                self.progress.show(f"timing the hooks: {label}, {name}")
                with results.part(f"hooks, {label} {name}"):
                    found[f"{label} {name}"] = packet_rate(arrangement.paths[name], hooks=hooks,
                                                           answers=name == "answers")["hooks"]

    def memory(self, quiet):
        """Bytes a session; quiet: a host without any."""
        busy = self.crowded
        packet_rate(busy.paths["outbound"], flows=FLOWS[-1], seconds=0.1, warm_up=0.8)
        sessions = len(json.loads(busy.vnet("flows", "--json")))
        return quotient(busy.session_memory() - quiet.session_memory(), sessions, "session was made")

    def measure_more(self, results):
        found = results.found
        found["hooks"] = {}
        self.time_hooks(found["hooks"], results)
        quiet = self.build(Vnet(8))  # alone, unlike the others: its start is timed
        with results.part("times"):
            found["times"] = {"networks": quiet.networks, "start": median(quiet.start_seconds),
                              "attach": median(quiet.attach_seconds)}
        with results.part("memory"):
            found["session_bytes"] = self.memory(quiet)
        with results.part("pictures"):
            picture.draw(found, self.options.output)

    def notes(self):
        if Libvirt.without_csum:
            yield "this kernel has no act_csum: bridge + nftables runs without libvirt's DHCP checksum filter"
        if self.without_flow_table:
            yield f"no bridge + nftables + flowtable: {self.without_flow_table}"

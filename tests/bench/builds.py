# SPDX-License-Identifier: GPL-2.0-or-later
"""Another build of vnet-bpf beside this one: is the packet path as fast as it was?"""
from contenders import Vnet
from hosts import UNITS, Hosts
from measure import Case, Ratio, refusal_rate, tap_rate

THIS, AGAIN, OTHER = "this build", "this build again", "the other build"
GOAL = 0.99


class Builds(Hosts):
    """Every case has this build twice: what the two differ by is noise."""

    def build_all(self):
        self.veths = self.three()
        self.taps = self.three(taps=True)
        self.routed = self.three(mode="route")
        self.ipv6 = self.three(ipv6=True)
        self.build_together([host for hosts in (self.veths, self.taps, self.routed, self.ipv6)
                             for host in hosts.values()])

    def three(self, **what):
        return {THIS: Vnet(1, **what), OTHER: Vnet(1, program=self.options.against, **what), AGAIN: Vnet(1, **what)}

    def cases(self):
        for way in ("guest-guest", "outbound"):
            yield self.case(f"{way} packet rate", "packets/s", self.veths, lambda a, way=way: self.rate_of(a, way))
            yield self.case(f"IPv6: {way} packet rate", "packets/s", self.ipv6,
                            lambda a, way=way: self.rate_of(a, f"{way} IPv6"))
            yield self.case(f"taps: {way} packet rate", "packets/s", self.taps,
                            lambda a, way=way: lambda: tap_rate(a.paths[way], self.options.seconds))
        yield self.case("answers packet rate", "packets/s", self.veths, self.answers_of)
        yield self.case("outside to guest, routed", "packets/s", self.routed, lambda a: self.rate_of(a, "routed"))
        yield self.case("unsolicited inbound, refused", "packets/s", self.veths, lambda a: lambda: refusal_rate(a))
        for kind, unit in UNITS.items():
            for way in ("guest-guest", "outbound"):
                yield self.case(f"{kind} {way}", unit, self.veths,
                                lambda a, way=way, kind=kind: self.sockets_of(a, way, kind))

    def case(self, name, unit, hosts, measuring):
        return Case(name, unit, {label: measuring(host) for label, host in hosts.items()},
                    [Ratio(THIS, OTHER, GOAL), Ratio(AGAIN, THIS, alike=True)], self.options.rounds)

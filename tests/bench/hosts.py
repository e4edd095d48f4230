# SPDX-License-Identifier: GPL-2.0-or-later
"""What a run of the benchmark builds and takes down again; which hosts and cases is up to subclasses."""
import concurrent.futures
import os

from arrangement import Unbuilt
from contenders import Cable
from measure import Case, Progress, Ratio, packet_rate, reason, socket_rate

UNITS = {"tcp-rr": "per s", "udp-rr": "per s", "connect": "per s", "udp-connect": "per s", "bulk": "bit/s",
         "bulk-down": "bit/s"}


class Hosts:
    def __init__(self, options):
        self.options = options
        self.progress = Progress()
        self.made = []
        self.cable, self.other_cable = Cable(), Cable()

    def build_all(self):
        raise NotImplementedError

    def cases(self):
        raise NotImplementedError

    def measure_more(self, results):
        """What is no case."""

    def notes(self):
        """Lines for the report."""
        return ()

    def build(self, arrangement):
        self.progress.show(f"building: {arrangement.label}, {arrangement.networks} network(s)")
        self.made.append(arrangement)
        try:
            arrangement.build()
        except Exception as problem:  # the cases that it is for fail with that, the others do not
            arrangement.paths = Unbuilt(f"could not be set up: {reason(problem)}")
        return arrangement

    def build_together(self, arrangements):
        """Hundreds of networks: as many hosts at a time as there are CPUs."""
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            list(pool.map(self.build, arrangements))

    def remove(self):
        for arrangement in self.made:
            arrangement.remove()
        self.made = []

    def noise(self):
        """A cable against one like it, for each unit: differences smaller than these mean nothing."""
        for what, unit, once in (
                ("packets", "packets/s", lambda cable: self.rate_of(cable, "outbound")()),
                ("round trips", "per s", lambda cable: self.sockets_of(cable, "outbound", "tcp-rr")()),
                ("connections", "per s", lambda cable: self.sockets_of(cable, "outbound", "connect")()),
                ("bulk TCP", "bit/s", lambda cable: self.sockets_of(cable, "outbound", "bulk")())):
            cables = {"bare cable": self.cable, "bare cable again": self.other_cable}
            yield Case(f"noise: {what}", unit, {label: lambda c=c, once=once: once(c) for label, c in cables.items()},
                       [Ratio("bare cable again", "bare cable", alike=True)], max(5, self.options.rounds))

    def rate_of(self, arrangement, name, flows=1000):
        # All flows have passed once before the clock starts.
        warm_up = 0.1 if flows <= 1000 else 0.8
        return lambda: packet_rate(arrangement.paths[name], flows, self.options.seconds, warm_up)["rate"]

    def answers_of(self, arrangement):
        """What comes back for the flows that the guest has opened just before."""
        def once():
            packet_rate(arrangement.paths["outbound"], seconds=0.05, warm_up=0)
            return packet_rate(arrangement.paths["answers"], seconds=self.options.seconds, answers=True)["rate"]
        return once

    def sockets_of(self, arrangement, way, kind):
        return lambda: socket_rate(arrangement.paths[way], kind, self.options.seconds)

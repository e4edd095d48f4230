# SPDX-License-Identifier: GPL-2.0-or-later
"""Cases: contenders measured in turns (A B A B ...), and the ratios between them, round by round: what
disturbs the machine for a second disturbs both sides of a ratio. A contender that fails, or measures nothing,
is out of its case; the others go on.
"""
import itertools
import math
import statistics
import sys
import time
from dataclasses import dataclass, field

from arrangement import TRAFFIC, Failed, run_json


def reason(problem):
    """In one line; a fault of the benchmark's own with its kind."""
    words = " ".join(str(problem).split())
    return words if isinstance(problem, Failed) else f"{type(problem).__name__}: {words}"


def quotient(amount, by, what):
    if not by:
        raise Failed(f"no {what}")
    return amount / by


def median(values):
    if not values:
        raise Failed("nothing was measured")
    return statistics.median(values)


def spread(values):
    """The middle half; of few values, all."""
    if not values:
        raise Failed("nothing was measured")
    if len(values) < 4:
        return min(values), max(values)
    low, _, high = statistics.quantiles(values, n=4)
    return low, high


@dataclass
class Ratio:
    of: str
    to: str
    goal: float = 0.0  # 0: none
    alike: bool = False  # the same on both sides: what they differ by is noise

    def values(self, case):
        """Round by round; inverted where less is better, so that more than 1 is always faster."""
        return [a / b for a, b in zip(case.results[self.of], case.results[self.to])]


@dataclass
class Case:
    name: str
    unit: str
    contenders: dict  # label -> function that measures once
    ratios: list
    rounds: int
    results: dict = field(default_factory=dict)
    failed: dict = field(default_factory=dict)  # label -> reason

    @property
    def is_noise(self):
        return all(ratio.alike for ratio in self.ratios)

    def measure(self, progress):
        self.results = {label: [] for label in self.contenders}
        self.failed = {}
        for number in range(self.rounds):
            for label, once in self.contenders.items():
                if label in self.failed:
                    continue
                progress.show(f"{self.name}: round {number + 1} of {self.rounds}, {label}")
                try:
                    self.results[label].append(self.something(once()))
                except Exception as problem:  # whatever it is, the others' figures are not lost for it
                    self.failed[label] = f"round {number + 1}: {reason(problem)}"

    @staticmethod
    def something(value):
        """0 is no rate: it would make ratios of nothing."""
        if not (math.isfinite(value) and value > 0):
            raise Failed(f"measured {value:g}")
        return value

    def as_json(self):
        """Ratios of those alone that lasted through all rounds."""
        summary = []
        noise = None
        for ratio in self.ratios:
            if ratio.of in self.failed or ratio.to in self.failed:
                continue
            values = ratio.values(self)
            low, high = spread(values)
            if ratio.alike:
                noise = max(abs(1 - low), abs(high - 1))
            summary.append({"of": ratio.of, "to": ratio.to, "median": median(values), "low": low, "high": high,
                            "goal": ratio.goal or None, "values": values})
        contenders = {label: {"values": values, "failed": self.failed[label]} if label in self.failed
                      else {"median": median(values), "values": values} for label, values in self.results.items()}
        return {"name": self.name, "unit": self.unit, "noise": noise, "ratios": summary,
                "contenders": contenders}


def noise_of(case, results):
    """Its own, or what was seen in this unit; as a part of a ratio."""
    own = case.get("noise")
    return own if own is not None else results.get("noise", {}).get(case["unit"], 0)


class Progress:
    """One line that is written over, on a terminal; a line per case otherwise."""

    def __init__(self):
        self.start = time.monotonic()
        self.live = sys.stderr.isatty()
        self.last = None

    def show(self, what):
        stamp = f"[{time.monotonic() - self.start:4.0f} s] "
        if self.live:
            sys.stderr.write(f"\r\x1b[K{stamp}{what}"[:200])
        elif what.split(":")[0] != self.last:
            sys.stderr.write(f"{stamp}{what.split(':')[0]}\n")
        self.last = what.split(":")[0]
        sys.stderr.flush()

    def done(self):
        if self.live:
            sys.stderr.write("\r\x1b[K")


def packet_rate(path, flows=1000, seconds=0.4, warm_up=0.1, hooks=(), answers=False, cpu=0):
    argv = [TRAFFIC, "rate", "--from", path.sender, "--source", path.source, "--target", path.target,
            "--source-mac", path.source_mac, "--target-mac", path.target_mac, "--flows", str(flows),
            "--seconds", str(seconds), "--warm-up", str(warm_up), "--cpu", str(cpu)]
    if answers:
        argv.append("--answers")
    if answers and path.tap_to:
        argv += ["--tap-to", path.tap_to]
    elif path.receiver:
        argv += ["--to", path.receiver]
    for hook in hooks:
        argv += ["--hooks", hook]
    return run_json(argv)


def refusal_rate(arrangement):
    path = arrangement.paths["inbound"]
    before = arrangement.refused()
    found = packet_rate(path, warm_up=0)
    # Those of the warming up were refused, too.
    share = quotient(found["sent"], found["all"], "frame was sent")
    return (arrangement.refused() - before) * quotient(share, found["seconds"], "time has passed")


def tap_rate(path, seconds=0.4):
    argv = [TRAFFIC, "tap-rate", "--from", path.tap_from, "--source", path.source, "--target", path.target,
            "--source-mac", path.source_mac, "--target-mac", path.target_mac, "--flows", "1000",
            "--seconds", str(seconds), "--warm-up", "0.1"]
    argv += ["--tap-to", path.tap_to] if path.tap_to else ["--to", path.receiver]
    return run_json(argv)["rate"]


ports = itertools.cycle(range(5201, 9000))


def socket_rate(path, kind, seconds=0.4):
    # A port of its own for each measurement: flows of an earlier one would still be known. A masquerade has
    # 31,744 ports towards it (not the host's ephemeral ones).
    warm_up = 0.1 if kind == "udp-connect" else 0.2
    return run_json([TRAFFIC, "sockets", "--client", path.client, "--server", path.server,
                           "--port", str(next(ports)),
                           "--address", path.target, "--kind", kind, "--seconds", str(seconds),
                           "--warm-up", str(warm_up)])["rate"]

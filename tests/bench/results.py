# SPDX-License-Identifier: GPL-2.0-or-later
"""What has been found so far, in a file that is whole at any moment: whatever ends a run, and whenever, what was
measured before is there.
"""
import contextlib
import json
import os

from measure import reason


class Results:
    def __init__(self, file, **found):
        self.file = file
        self.found = {"complete": False, **found, "noise": {}, "failures": []}
        os.makedirs(os.path.dirname(os.path.abspath(file)), exist_ok=True)
        self.write()

    @property
    def failures(self):
        return self.found["failures"]

    @contextlib.contextmanager
    def part(self, name):
        """What fails in here is named, and the rest goes on."""
        try:
            yield
        except Exception as problem:
            self.fail(name, reason(problem))
        self.write()

    def fail(self, name, why):
        self.failures.append({"name": name, "reason": why})

    def measure(self, case, progress):
        """The case as JSON; its contenders that failed are noted, and how much alike ones differ."""
        case.measure(progress)
        for label, why in case.failed.items():
            self.fail(f"{case.name}, {label}", why)
        measured = case.as_json()
        if case.is_noise and measured["noise"] is not None:
            noise = self.found["noise"]
            noise[case.unit] = max(noise.get(case.unit, 0), measured["noise"])
        return measured

    def complete(self, **found):
        self.found.update(found, complete=True)
        self.write()

    def write(self):
        beside = self.file + ".new"
        with open(beside, "w", encoding="utf-8") as out:
            json.dump(self.found, out, indent=1)
        os.replace(beside, self.file)

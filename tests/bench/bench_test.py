# SPDX-License-Identifier: GPL-2.0-or-later
"""The arithmetic of the benchmarks, and what becomes of a run when something in it fails."""
import copy
import json
import os
import sys
import tempfile
import unittest

import compare
import report
from arrangement import Failed, Unbuilt, run, start_helper
from measure import Case, Ratio, median, quotient, refusal_rate, spread
from results import Results


class Silent:
    def show(self, what):
        pass


def case(**contenders):
    return Case("case", "packets/s", contenders, [Ratio("fast", "slow", 1.5)], 3)


def fails():
    raise Failed("no such\nplace")


class CaseTest(unittest.TestCase):
    def measured(self, **contenders):
        made = case(**contenders)
        made.measure(Silent())
        return made

    def test_ratios_are_made_round_by_round(self):
        values = iter((2, 4, 12, 4, 9, 3))
        found = self.measured(fast=lambda: next(values), slow=lambda: next(values)).as_json()
        self.assertEqual(found["ratios"][0]["values"], [0.5, 3, 3])
        self.assertEqual(found["ratios"][0]["median"], 3)
        self.assertEqual(found["contenders"]["fast"]["median"], 9)

    def test_who_measures_nothing_once_is_out_and_the_others_go_on(self):
        values = iter((5, 0, 7))
        made = self.measured(fast=lambda: 10, slow=lambda: next(values))
        self.assertEqual(made.failed, {"slow": "round 2: measured 0"})
        found = made.as_json()
        self.assertEqual(found["ratios"], [])
        self.assertEqual(found["contenders"]["fast"]["median"], 10)
        self.assertEqual(found["contenders"]["slow"], {"values": [5], "failed": "round 2: measured 0"})
        self.assertIn("failed", "\n".join(report.case_lines(found, {})))

    def test_no_number_is_no_rate(self):
        for value in (-1, float("nan"), float("inf")):
            self.assertIn("slow", self.measured(fast=lambda: 10, slow=lambda value=value: value).failed)

    def test_whatever_is_raised_is_the_contenders_own(self):
        made = self.measured(fast=fails, slow=lambda: {}["x"])
        self.assertEqual(made.failed, {"fast": "round 1: no such place", "slow": "round 1: KeyError: 'x'"})
        self.assertEqual(made.as_json()["contenders"]["fast"]["values"], [])

    def test_an_arrangement_that_is_not_there_says_why(self):
        paths = Unbuilt("could not be set up: no room")
        self.assertEqual(self.measured(fast=lambda: paths["outbound"], slow=lambda: 1).failed,
                         {"fast": "round 1: could not be set up: no room"})

    def test_nothing_has_no_median(self):
        for of in (median, spread, lambda values: quotient(1, len(values), "session")):
            self.assertRaises(Failed, of, [])

    def test_refusals_of_nothing(self):
        class Host:
            paths = Unbuilt("gone")
        self.assertRaisesRegex(Failed, "gone", refusal_rate, Host)


class HelperTest(unittest.TestCase):
    def test_a_command_fails_by_name(self):
        self.assertRaisesRegex(Failed, "false: status 1", run, ["false"])
        self.assertRaisesRegex(Failed, "no-such-command", run, ["no-such-command"])
        self.assertRaisesRegex(Failed, "killed by signal 9", run, ["sh", "-c", "kill -9 $$"])
        self.assertRaisesRegex(Failed, "no end after 0.1 s", run, ["sleep", "5"], limit=0.1)

    def test_a_helper_that_dies_or_hangs(self):
        self.assertRaisesRegex(Failed, "did not get ready", start_helper, ["true"])
        self.assertRaisesRegex(Failed, "did not get ready", start_helper, ["sleep", "5"], limit=0.1)
        helper = start_helper(["sh", "-c", "echo ready; exec sleep 60"])
        self.assertIsNone(helper.poll())
        helper.kill()
        helper.wait()
        helper.stdout.close()


class ResultsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.file = os.path.join(folder.name, "bench", "results.json")
        self.results = Results(self.file, machine=report.machine(), command="bench", cases=[])

    def written(self):
        with open(self.file, encoding="utf-8") as text:
            return json.load(text)

    def test_the_file_is_whole_from_the_beginning(self):
        self.assertEqual(self.written()["complete"], False)

    def test_every_case_is_written_as_it_comes(self):
        with self.results.part("case"):
            self.results.found["cases"].append(self.results.measure(case(fast=lambda: 2, slow=lambda: 1), Silent()))
        self.assertEqual(self.written()["cases"][0]["ratios"][0]["median"], 2)
        self.assertEqual(self.written()["failures"], [])

    def test_a_part_that_fails_is_named_and_the_next_runs(self):
        with self.results.part("first"):
            fails()
        with self.results.part("case"):
            self.results.measure(case(fast=lambda: 0, slow=lambda: 1), Silent())
        self.results.complete(notes=[])
        self.assertTrue(self.written()["complete"])
        self.assertEqual(self.written()["failures"], [{"name": "first", "reason": "no such place"},
                                                      {"name": "case, fast", "reason": "round 1: measured 0"}])
        text = report.text(self.written())
        self.assertIn("FAILED: 2", text)
        self.assertIn("first: no such place", text)

    def test_the_end_of_the_run_is_not_swallowed(self):
        for end in (KeyboardInterrupt, SystemExit):
            with self.assertRaises(end):
                with self.results.part("case"):
                    raise end
        self.assertEqual(self.written()["failures"], [])


class NoiseTest(unittest.TestCase):
    """A cable against one like it differs by up to a tenth; what differs less than that means nothing."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.results = Results(os.path.join(folder.name, "results.json"), machine=report.machine(), command="bench",
                               cases=[])
        values = iter((10, 10, 10, 11, 10, 9))
        self.measure(Case("noise", "packets/s", {"cable": lambda: next(values), "again": lambda: next(values)},
                          [Ratio("again", "cable", alike=True)], 3))

    def measure(self, what):
        self.results.found["cases"].append(self.results.measure(what, Silent()))
        return "\n".join(report.case_lines(self.results.found["cases"][-1], self.results.found))

    def goal(self, fast, goal):
        return self.measure(Case("case", "packets/s", {"fast": lambda: fast, "slow": lambda: 100},
                                 [Ratio("fast", "slow", goal)], 3))

    def test_it_is_known_by_unit(self):
        self.assertAlmostEqual(self.results.found["noise"]["packets/s"], 0.1)
        self.assertIn("packets/s 10.0%", "\n".join(report.noise_lines(self.results.found["noise"])))

    def test_a_goal_is_met_missed_or_neither(self):
        self.assertIn("goal 1: met", self.goal(101, 1))
        self.assertIn("missed by less than the noise", self.goal(95, 1))
        self.assertIn("MISSED", self.goal(85, 1))

    def test_what_differs_by_less_is_said_to(self):
        self.assertIn("no difference beyond the noise", self.goal(95, 0))
        self.assertNotIn("no difference", self.goal(85, 0))

    def test_two_runs_are_compared_beyond_both_noises(self):
        self.goal(150, 0)
        old = copy.deepcopy(self.results.found)
        for now, expected in ((170, "2 of 2 ratios are as they were"),
                              (200, "fast / slow 1.50 -> 2.00 (+33%, noise 20%)")):
            self.results.found["cases"].pop()
            self.goal(now, 0)
            self.assertIn(expected, "\n".join(compare.lines(old, self.results.found)))

    def test_a_case_that_measures_its_own_noise_goes_by_that(self):
        values = {"this": 100, "again": 101, "other": 105}
        text = self.measure(Case("builds", "packets/s", {label: lambda v=v: v for label, v in values.items()},
                                 [Ratio("this", "other", 0.99), Ratio("again", "this", alike=True)], 3))
        self.assertIn("goal 0.99: MISSED", text)


if __name__ == "__main__":
    sys.exit(unittest.main())

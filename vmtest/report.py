# SPDX-License-Identifier: GPL-2.0-or-later
"""Progress while tests run, and the JUnit file at the end."""

import json
import re
import xml.etree.ElementTree as xml


class Progress:
    """Follows the output of GoogleTest programs: a line for each test as it ends, failures with what they said."""

    END = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+?)(?:, where .*)? \((\d+) ms\)$")

    def __init__(self, kernel, expected):
        self.kernel, self.expected = kernel, expected
        self.passed, self.failed, self.skipped = [], [], []
        self._said = []
        self.trouble = []

    def line(self, text):
        if text.startswith("@@trouble"):
            self.trouble.append(text.removeprefix("@@trouble "))
            self.say(text)
        elif text.startswith("@@step"):
            self.say(text.removeprefix("@@step ") + " ...")
        elif text.startswith("[ RUN"):
            self._said = []
            self._running = text.split("] ")[-1]
        elif (end := self.END.match(text)) and end[2] == self._running:
            self._test(end[1], end[2], end[3])
        else:
            self._said.append(text)

    _running = None

    def _test(self, how, name, milliseconds):
        {"OK": self.passed, "FAILED": self.failed, "SKIPPED": self.skipped}[how].append(name)
        number = len(self.passed) + len(self.failed) + len(self.skipped)
        self.say(f"[{number:3}/{self.expected}] {how.lower():7} {name} ({milliseconds} ms)")
        if how != "OK":
            for said in self._said:
                self.say(f"    {said}")
        self._running = None

    def unfinished(self):
        """The test during which the machine went away, with what it had said."""
        return self._running and [self._running, *self._said[-20:]]

    def close(self, outcome, path):
        """The last line, and the same for whoever reads it later."""
        counts = {"passed": len(self.passed), "failed": len(self.failed), "skipped": self.skipped}
        path.write_text(json.dumps(counts, indent=1))
        booted = f"first test after {outcome.boot:.1f} s, " if outcome.boot else ""
        self.say(f"{counts['passed']} passed, {counts['failed']} failed, {len(self.skipped)} skipped; "
                 f"{booted}{outcome.total:.0f} s in all, {outcome.computed:.0f} s of it computing")

    def say(self, text):
        print(f"{self.kernel:5} {text}", flush=True)


def machine_suite(kernel, checks):
    """A JUnit suite of what is checked about the machine itself: {name: [problem lines]}."""
    suite = xml.Element("testsuite", name=f"{kernel}.machine", tests=str(len(checks)),
                        failures=str(sum(bool(problems) for problems in checks.values())))
    for name, problems in checks.items():
        case = xml.SubElement(suite, "testcase", name=name, classname=f"{kernel}.machine")
        if problems:
            xml.SubElement(case, "failure", message=problems[0]).text = "\n".join(problems)
    return suite


def gtest_suites(kernel, path):
    """The suites of a GoogleTest XML file, which is JUnit's format, named after the kernel."""
    suites = list(xml.parse(path).getroot())
    for suite in suites:
        suite.set("name", f"{kernel}.{suite.get('name')}")
        for case in suite:
            case.set("classname", f"{kernel}.{case.get('classname')}")
    return suites


def write_junit(path, suites):
    root = xml.Element("testsuites", name="vmtest")
    root.extend(suites)
    tree = xml.ElementTree(root)
    xml.indent(tree)
    tree.write(path, encoding="utf-8", xml_declaration=True)

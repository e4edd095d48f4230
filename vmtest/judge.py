# SPDX-License-Identifier: GPL-2.0-or-later
"""What in a log means that the kernel, or its verifier, was not content."""

import re

KERNEL = re.compile(r"Kernel panic|BUG:|Oops|WARNING:|general protection fault|unable to handle|INFO: rcu|soft lockup|"
                    r"blocked for more than|refcount_t:|UBSAN|KASAN|list_(add|del) corruption|unregister_netdevice: waiting")
VERIFIER = re.compile(r"BEGIN PROG LOAD LOG|loading .* into the kernel: ")
CONTEXT = 25  # lines that are shown with a finding


def findings(text, pattern):
    """For each finding the line that tells and those that follow, which are not looked at again."""
    lines = text.replace("\r", "").splitlines()
    found, skip = [], -1
    for number, line in enumerate(lines):
        if number > skip and pattern.search(line):
            found += lines[number:number + CONTEXT]
            skip = number + CONTEXT
    return found


def kernel_log(text):
    return findings(text, KERNEL)


def verifier(text):
    return findings(text, VERIFIER)

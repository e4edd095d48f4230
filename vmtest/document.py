# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/kernels.md, from what the runs have left in build/vmtest."""

import json
import pathlib

import suite
import verifier

TARGET = pathlib.Path(__file__).resolve().parent.parent / "docs/kernels.md"
HEAD = """# Kernels

What each kernel has and how vnet-bpf runs on it. Written by `make vmtest RECORD=1` from its runs; do not edit.
"""


def row(*cells):
    return f"| {' | '.join(map(str, cells))} |"


def yes(there):
    return "yes" if there else "no"


def table(head, rows):
    return "\n".join([row(*head), row(*["---"] * len(head)), *(row(*cells) for cells in rows)])


def write(results):
    kernels = {}
    for path in results.glob("*/facts.json"):
        if not path.stat().st_size:
            continue  # the programs do not load there
        features = path.with_name("features")
        kernels[path.parent.name] = (json.loads(path.read_text()), json.loads(path.with_name("summary.json").read_text()),
                                     features.read_text().splitlines() if features.exists() else [])
    if not kernels:
        return
    names = sorted(kernels, key=lambda name: [int(part) for part in name.split(".")])
    facts = [kernels[name][0] for name in names]
    rows = [["release", *(fact["kernel"] for fact in facts)],
            ["hook of ports, gateways, uplinks", *(fact["hook"] for fact in facts)]]
    rows += [[f"helper `{helper}`", *(yes(fact["helpers"][helper]) for fact in facts)] for helper in facts[0]["helpers"]]
    for line in suite.data_lines("features"):
        feature = line.split("|")[0].strip()
        rows.append([feature, *(yes(feature in kernels[name][2]) for name in names)])
    if any(kernels[name][1]["passed"] for name in names):
        rows.append(["tests passed", *(kernels[name][1]["passed"] for name in names)])
        rows.append(["tests failed", *(kernels[name][1]["failed"] for name in names)])
        rows.append(["tests skipped", *(len(kernels[name][1]["skipped"]) for name in names)])
    text = [HEAD, table(["", *names], rows), "\n## Not run there\n"]
    for name in names:
        text += [f"- {name}: {test} (skips itself there)" for test in kernels[name][1]["skipped"]]
        text += [f"- {name}: {test}: {why}" for test, why in suite.left_out(name).items()]
    text.append("\n## The verifier's work\n\nInstructions processed / states kept / deepest stack frame, of a million "
                "instructions and 512 bytes.\n")
    programs = sorted({program for fact in facts for program in fact["programs"]})
    cell = lambda fact, program: " / ".join(str(fact["programs"].get(program, {}).get(column, "-"))
                                            for column in verifier.COLUMNS)
    text.append(table(["program", *names], [[f"`{program}`", *(cell(fact, program) for fact in facts)]
                                            for program in programs]))
    TARGET.write_text("\n".join(text) + "\n")

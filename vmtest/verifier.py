# SPDX-License-Identifier: GPL-2.0-or-later
"""The verifier's statistics: those committed in verifier.tsv, against those of a run."""

import pathlib
import re
import subprocess
import threading

FILE = pathlib.Path(__file__).resolve().parent / "verifier.tsv"
COLUMNS = ("instructions", "states", "stack")
GROWTH = 1.10
HEAD = """# What each kernel's verifier spends on each program: instructions processed, states kept, deepest stack
# frame in bytes. make vmtest fails when one grows by more than a tenth; make vmtest RECORD=1 writes it anew.
"""

RECORDING = threading.Lock()  # of FILE: kernels end side by side


def compiler(build):
    """Numbers compare only between objects of one clang: its name and major version."""
    path = re.search(r"^VNET_CLANG:FILEPATH=(.*)$", (build / "CMakeCache.txt").read_text(), re.M)[1]
    text = subprocess.run([path, "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return "clang-" + re.search(r"version (\d+)", text)[1]


def load():
    """{(kernel, compiler, program): {column: number}}"""
    table = {}
    for line in FILE.read_text().splitlines() if FILE.exists() else []:
        if line and not line.startswith(("#", "kernel")):
            kernel, clang, program, *numbers = line.split("\t")
            table[kernel, clang, program] = dict(zip(COLUMNS, map(int, numbers)))
    return table


def compare(kernel, clang, programs):
    """Problems: what has grown, and what nobody has recorded."""
    recorded, problems = load(), []
    if not any(key[:2] == (kernel, clang) for key in recorded):
        print(f"{kernel:5} verifier statistics: none recorded for this kernel and {clang}, not compared", flush=True)
        return []
    for program, now in sorted(programs.items()):
        before = recorded.get((kernel, clang, program))
        if not before:
            problems.append(f"{program}: not in {FILE.name}; RECORD=1 adds it")
            continue
        problems += [f"{program}: {column} {before[column]} -> {now[column]}, {now[column] / before[column] - 1:+.0%}"
                     for column in COLUMNS if now[column] > before[column] * GROWTH]
    return problems


def record(kernel, clang, programs):
    with RECORDING:
        table = {key: value for key, value in load().items() if key[:2] != (kernel, clang)}
        table |= {(kernel, clang, program): now for program, now in programs.items()}
        version = lambda key: ([int(part) for part in key[0].split(".")], *key[1:])
        rows = ["\t".join([*key, *(str(table[key][column]) for column in COLUMNS)])
                for key in sorted(table, key=version)]
        FILE.write_text(HEAD + "\t".join(("kernel", "compiler", "program", *COLUMNS)) + "\n" + "\n".join(rows) + "\n")

# SPDX-License-Identifier: GPL-2.0-or-later
"""The results as text, and the machine they come from."""
import os
import platform

from measure import noise_of

SCALES = {"packets/s": (1e-6, "Mpps", 3), "bit/s": (1e-9, "Gbit/s", 2), "per s": (1, "per s", 0)}


def quantity(value, unit):
    factor, name, digits = SCALES[unit]
    return f"{value * factor:.{digits}f} {name}"


def machine():
    model = "unknown CPU"
    with open("/proc/cpuinfo", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cpus": os.cpu_count(), "kernel": platform.release(),
            "load_at_start": round(os.getloadavg()[0], 1)}


def machine_line(facts):
    return f"{facts['cpus']} x {facts['cpu']}, Linux {facts['kernel']}, load {facts['load_at_start']} at the start"


def verdict(ratio, noise):
    value, goal = ratio["median"], ratio["goal"]
    if not goal:
        return "no difference beyond the noise" if noise and abs(value - 1) <= noise else ""
    if value >= goal:
        return f"goal {goal:g}: met"
    return f"goal {goal:g}: " + ("missed by less than the noise" if value + noise >= goal else "MISSED")


def case_lines(case, results):
    noise = noise_of(case, results)
    yield case["name"]
    for label, found in case["contenders"].items():
        value = "failed" if "failed" in found else quantity(found["median"], case["unit"])
        yield f"    {label:32} {value:>14}"
    for r in case["ratios"]:
        name = f"{r['of']} / {r['to']}"
        yield f"  = {name:56} {r['median']:6.2f}  ({r['low']:.2f} .. {r['high']:.2f})  {verdict(r, noise)}".rstrip()
    yield ""


def noise_lines(noise):
    if noise:
        yield "noise, alike against alike: " + ", ".join(f"{unit} {part:.1%}" for unit, part in noise.items())
        yield ""


def hook_lines(hooks):
    yield f"{'path':24} {'hook':14} {'program':16} {'ns/packet':>9} {'verified insns':>14} {'machine code':>12}"
    for path, found in hooks.items():
        for h in found:
            if h["runs"]:
                yield (f"{path:24} {h['hook']:14} {h['program']:16} {h['nanoseconds']:9.0f} "
                       f"{h['verified_instructions']:14} {h['jited_bytes']:10} B")
    yield ""


def times_lines(times):
    yield (f"start: {times['start']:.2f} s a network (median of {times['networks']}); "
           f"attach: {times['attach']:.3f} s a port")


def memory_lines(number):
    yield f"memory: {number:.0f} bytes a session in the maps, its place in the wheel included"
    yield ""


def notes_lines(notes):
    for note in notes:
        yield f"note: {note}"


# What there is to say of each part of the results, in this order.
PARTS = {"noise": noise_lines, "hooks": hook_lines,
         "times": times_lines, "session_bytes": memory_lines, "notes": notes_lines}


def failure_lines(failures):
    """Every one by name."""
    if failures:
        yield f"FAILED: {len(failures)}"
    for failure in failures:
        yield f"    {failure['name']}: {failure['reason']}"


def text(results):
    lines = [machine_line(results["machine"]), ""]
    for case in results["cases"]:
        lines += case_lines(case, results)
    for part, lines_of in PARTS.items():
        if part in results:
            lines += lines_of(results[part])
    return "\n".join([*lines, *failure_lines(results["failures"])])

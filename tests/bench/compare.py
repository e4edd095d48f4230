# SPDX-License-Identifier: GPL-2.0-or-later
"""What has changed between two results, ratio by ratio. Rates are not compared: they are the machine's."""
from measure import noise_of


def ratios(results):
    """(case, of, to) -> (median, noise)."""
    return {(case["name"], r["of"], r["to"]): (r["median"], noise_of(case, results))
            for case in results["cases"] for r in case["ratios"]}


def lines(old, new):
    before, after = ratios(old), ratios(new)
    both = [key for key in after if key in before]
    yield f"since {old['machine']['kernel']}, {old['command']}:"
    same = 0
    for key in both:
        (was, noise_then), (now, noise) = before[key], after[key]
        change = now / was
        if abs(change - 1) <= noise_then + noise:
            same += 1
            continue
        name, of, to = key
        yield f"    {name}: {of} / {to} {was:.2f} -> {now:.2f} ({change - 1:+.0%}, noise {noise_then + noise:.0%})"
    yield f"    {same} of {len(both)} ratios are as they were, within the noise"
    if len(both) < len(after):
        yield f"    {len(after) - len(both)} are new"

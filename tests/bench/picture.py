# SPDX-License-Identifier: GPL-2.0-or-later
"""Small SVG pictures of the results."""
import math
import os
from html import escape

import report

COLOURS = ["#c0392b", "#1f6fb2", "#3a9d5d", "#7f8c8d", "#8e44ad", "#d68910", "#16818f"]
WIDTH, HEIGHT, LEFT, TOP, BOTTOM = 760, 380, 70, 46, 78


class Picture:
    def __init__(self, title, caption):
        self.parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
                      'font-family="sans-serif" font-size="12">',
                      f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
        self.text(WIDTH / 2, 22, title, "middle", 15)
        for number, line in enumerate(caption):
            self.text(LEFT, HEIGHT - 22 + 14 * number, line, size=10, colour="#555")

    def text(self, x, y, what, anchor="start", size=12, colour="#222"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
                          f'fill="{colour}">{escape(what)}</text>')

    def line(self, x1, y1, x2, y2, colour="#ddd", width=1):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
                          f'stroke-width="{width}"/>')

    def write(self, file):
        with open(file, "w", encoding="utf-8") as out:
            out.write("\n".join([*self.parts, "</svg>\n"]))

    def axis(self, top, unit):
        """Horizontal lines from 0 to top, at round values; returns where a value lies."""
        floor = HEIGHT - BOTTOM
        magnitude = 10 ** math.floor(math.log10(top / 4))
        distance = next(magnitude * n for n in (1, 2, 2.5, 5, 10) if magnitude * n * 4 >= top * 0.9)
        top = max(top, distance * 4)

        def y_of(value):
            return floor - (floor - TOP) * value / top

        for step in range(5):
            value = distance * step
            self.line(LEFT, y_of(value), WIDTH - 190, y_of(value))
            self.text(LEFT - 8, y_of(value) + 4, f"{value:.3g}", "end")
        self.text(LEFT - 8, TOP - 10, unit, "end")
        return y_of


def rate_by_networks(file, title, caption, series, flat):
    """series: label -> {networks: Mpps}; flat: label -> Mpps that does not depend on them."""
    picture = Picture(title, caption)
    counts = sorted({n for points in series.values() for n in points})
    top = 1.1 * max([v for points in series.values() for v in points.values()] + list(flat.values()))
    y_of = picture.axis(top, "Mpps")
    left, right = LEFT + 30, WIDTH - 220
    x_of = {n: left + (right - left) * i / max(1, len(counts) - 1) for i, n in enumerate(counts)}
    for n in counts:
        picture.text(x_of[n], HEIGHT - BOTTOM + 18, f"{n}", "middle")
    picture.text((left + right) / 2, HEIGHT - BOTTOM + 34, "networks on the host", "middle")
    for number, (label, points) in enumerate([*series.items(), *flat.items()]):
        colour = COLOURS[number % len(COLOURS)]
        if not isinstance(points, dict):
            picture.parts.append(f'<g stroke-dasharray="5 4">')
            picture.line(LEFT, y_of(points), WIDTH - 190, y_of(points), colour, 2)
            picture.parts.append("</g>")
        else:
            spots = [(x_of[n], y_of(v)) for n, v in sorted(points.items())]
            path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
            picture.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
            picture.parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in spots]
        legend(picture, number, label, colour)
    picture.write(file)


def legend(picture, number, label, colour):
    y = TOP + 16 + 20 * number
    picture.line(WIDTH - 180, y, WIDTH - 160, y, colour, 4)
    picture.text(WIDTH - 154, y + 4, label)


def bars(file, title, caption, unit, groups):
    """groups: name -> {label: value}."""
    picture = Picture(title, caption)
    labels = list(dict.fromkeys(label for group in groups.values() for label in group))
    y_of = picture.axis(1.1 * max(v for group in groups.values() for v in group.values()), unit)
    room = (WIDTH - 200 - LEFT) / len(groups)
    for place, (name, group) in enumerate(groups.items()):
        width = (room - 20) / len(labels)
        for label, value in group.items():
            number = labels.index(label)
            x = LEFT + 10 + room * place + width * number
            picture.parts.append(f'<rect x="{x:.1f}" y="{y_of(value):.1f}" width="{width - 3:.1f}" '
                                 f'height="{y_of(0) - y_of(value):.1f}" fill="{COLOURS[number % len(COLOURS)]}"/>')
            picture.text(x + width / 2 - 1, y_of(value) - 4, f"{value:.3g}", "middle", 9)
        picture.text(LEFT + room * (place + 0.5), HEIGHT - BOTTOM + 18, name, "middle")
    for number, label in enumerate(labels):
        legend(picture, number, label, COLOURS[number % len(COLOURS)])
    picture.write(file)


def medians(case):
    """label -> value, of those that have one."""
    return {label: found["median"] for label, found in case["contenders"].items() if "median" in found}


def draw(results, folder):
    caption = [report.machine_line(results["machine"]) + "; " + results["command"]]
    cases = {case["name"]: case for case in results["cases"]}
    for name in ("guest-guest", "outbound"):
        case = cases.get(f"{name} packet rate, by networks")
        if not case:
            continue
        series, flat = {}, {}
        for label, rate in medians(case).items():
            kind, _, count = label.rpartition(", ")
            if kind in ("bridge + nftables", "vnet-bpf honor"):
                series.setdefault(kind, {})[int(count)] = rate / 1e6
            else:
                flat[label] = rate / 1e6
        if not series:
            continue
        title = "Guest to guest" if name == "guest-guest" else "Guest to outside, masqueraded"
        rate_by_networks(os.path.join(folder, f"rate-{name}.svg"),
                                 f"{title}: 60-byte UDP frames through one CPU", caption, series, flat)
    groups = {name: {label: 1e6 / rate for label, rate in medians(cases[name]).items()}
              for name in ("TCP round trips", "UDP round trips", "TCP connections", "UDP connections") if name in cases}
    if any(groups.values()):
        bars(os.path.join(folder, "latency.svg"), "Microseconds a round trip, and a connection", caption,
                     "µs", groups)

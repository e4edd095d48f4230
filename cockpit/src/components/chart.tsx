// SPDX-License-Identifier: GPL-2.0-or-later
// A rate's recent history as a small area chart. For screen readers the number beside it says the same.
export function Chart({ values, kept, top }: { values: number[]; kept: number; top: number }) {
  const width = 120,
    height = 28;
  const step = width / (kept - 1);
  const left = width - (values.length - 1) * step;
  const points = values.map((value, n) => [
    left + n * step,
    height - 1 - (height - 2) * (top ? value / top : 0),
  ]);
  const line = points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join(" L");
  return (
    <svg
      className="vnet-chart"
      viewBox={`0 0 ${width} ${height}`}
      preserveAspectRatio="none"
      aria-hidden="true"
    >
      {points.length > 1 ? (
        <path d={`M${left.toFixed(1)} ${height} L${line} L${width} ${height}`} stroke="none" />
      ) : null}
      {points.length > 1 ? <path d={`M${line}`} fill="none" /> : null}
    </svg>
  );
}

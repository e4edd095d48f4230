// SPDX-License-Identifier: GPL-2.0-or-later
// Rates from two samples of `stats`, and their history for the charts.
import type { Counters, Stats } from "../lib/types";

export interface PortRate {
  received: number; // bits a second, as the guest sees it
  sent: number;
}

export interface DropRate {
  where: string;
  kind: "network" | "port" | "uplink";
  reason: string;
  packets: number;
  perSecond: number;
}

export interface History {
  last?: Stats;
  rates: Map<string, PortRate[]>; // by interface, the oldest first
  drops: DropRate[];
}

export const KEPT = 60;

export const noHistory: History = { rates: new Map(), drops: [] };

// A counter that ran backwards belongs to another port of that name.
const perSecond = (before: number | undefined, now: number, seconds: number): number =>
  before === undefined || now < before || seconds <= 0 ? 0 : (now - before) / seconds;

function countersOf(stats: Stats): Array<Counters & { kind: DropRate["kind"] }> {
  return [
    ...stats.ports.map(each => ({ ...each, kind: "port" as const })),
    ...stats.uplinks.map(each => ({ ...each, kind: "uplink" as const })),
  ];
}

/** Drops of a network that are none of its ports': those at its gateway. */
function gatewayDrops(
  stats: Stats,
): Array<{ interface: string; kind: "network"; drops: Record<string, number> }> {
  return stats.networks.map(network => {
    const drops = { ...network.drops };
    for (const port of stats.ports)
      if (port.network === network.network)
        for (const [reason, count] of Object.entries(port.drops))
          drops[reason] = (drops[reason] ?? 0) - count;
    return { interface: network.network, kind: "network", drops };
  });
}

const dropSources = (stats: Stats) => [...countersOf(stats), ...gatewayDrops(stats)];

export function withSample(history: History, now: Stats): History {
  const seconds = history.last ? now.time - history.last.time : 0;
  const before = new Map(history.last ? countersOf(history.last).map(each => [each.interface, each]) : []);
  const rates = new Map<string, PortRate[]>();
  for (const each of countersOf(now)) {
    const then = before.get(each.interface);
    const rate = {
      received: 8 * perSecond(then?.rx_bytes, each.rx_bytes, seconds),
      sent: 8 * perSecond(then?.tx_bytes, each.tx_bytes, seconds),
    };
    const kept = history.rates.get(each.interface) ?? [];
    rates.set(each.interface, history.last ? [...kept, rate].slice(-KEPT) : kept);
  }
  const dropsBefore = new Map(
    (history.last ? dropSources(history.last) : []).map(each => [
      `${each.kind} ${each.interface}`,
      each.drops,
    ]),
  );
  const drops = dropSources(now).flatMap(each =>
    Object.entries(each.drops)
      .filter(([, packets]) => packets > 0)
      .map(([reason, packets]) => ({
        where: each.interface,
        kind: each.kind,
        reason,
        packets,
        perSecond: perSecond(
          dropsBefore.get(`${each.kind} ${each.interface}`)?.[reason] ?? (history.last ? 0 : undefined),
          packets,
          seconds,
        ),
      })),
  );
  drops.sort((a, b) => b.perSecond - a.perSecond || b.packets - a.packets);
  return { last: now, rates, drops };
}

const UNITS = ["bit/s", "kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"];

export function bitRate(bits: number): string {
  let unit = 0;
  while (bits >= 1000 && unit < UNITS.length - 1) {
    bits /= 1000;
    unit++;
  }
  return `${bits >= 100 || unit === 0 ? Math.round(bits) : bits.toFixed(1)} ${UNITS[unit]}`;
}

// SPDX-License-Identifier: GPL-2.0-or-later
// A port's settings as the form has them, and the options of attach and set that bring them about.
import type { Port, Rate } from "../lib/types";
import { N_ } from "./mark";

export interface PortSettings {
  network: string;
  guest: string;
  model: string;
  mac: string;
  ips: string;
  filters: string[];
  inbound: string;
  allow: string;
  isolated: boolean;
  bandwidthIn: string;
  bandwidthOut: string;
  vlan: string; // "", "10" or, of a trunk, "10,20"
  trunk: boolean;
  native: string;
}

export const filters: Array<[name: string, label: string]> = [
  ["clean-traffic", N_("Clean traffic: all of the spoofing filters, and no DHCP server or router")],
  ["no-mac-spoofing", N_("No other MAC addresses than its own")],
  ["no-ip-spoofing", N_("No other IPv4 addresses than its own")],
  ["no-ipv6-spoofing", N_("No other IPv6 addresses than its own")],
  ["no-arp-spoofing", N_("No ARP in the name of others")],
  ["no-ip-multicast", N_("No IPv4 multicast")],
  ["allow-dhcp-server", N_("May be a DHCP server and a router all the same")],
];

export const inbounds: Array<[name: string, label: string]> = [
  ["accept", N_("Everything")],
  ["established", N_("Replies to what the guest has started")],
  ["drop", N_("Nothing")],
];

export const emptySettings: PortSettings = {
  network: "",
  guest: "",
  model: "virtio",
  mac: "",
  ips: "",
  filters: [],
  inbound: "",
  allow: "",
  isolated: false,
  bandwidthIn: "",
  bandwidthOut: "",
  vlan: "",
  trunk: false,
  native: "",
};

const words = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean);

const rateText = (rate: Rate | null | undefined): string => {
  if (!rate) return "";
  const numbers = [rate.average, rate.peak || 0, rate.burst || 0];
  while (numbers.length > 1 && !numbers[numbers.length - 1]) numbers.pop();
  return numbers.join(",");
};

export function settingsOf(port: Port): PortSettings {
  const native = port.vlan?.trunk && port.vlan.native ? String(port.vlan.native) : "";
  return {
    network: port.network ?? "",
    guest: port.guest,
    model: port.model ?? "",
    mac: port.mac ?? "",
    ips: port.ips.join(" "),
    filters: port.filters,
    inbound: port.inbound,
    allow: port.allow.join(" "),
    isolated: port.isolated,
    bandwidthIn: rateText(port.bandwidth?.inbound),
    bandwidthOut: rateText(port.bandwidth?.outbound),
    vlan: (port.vlan?.tags ?? []).filter(tag => String(tag) !== native).join(","),
    trunk: port.vlan?.trunk ?? false,
    native,
  };
}

// A repeatable option: "none" empties the list.
const list = (option: string, values: string[]): string[] =>
  values.length ? values.flatMap(value => [option, value]) : [option, "none"];

const vlanOptions = (to: PortSettings): string[] => {
  const tags = words(to.vlan).join(",");
  if (!to.trunk) return ["--vlan", tags || "none"];
  return [...(tags ? ["--vlan-trunk", tags] : []), ...(to.native ? ["--vlan-native", to.native] : [])];
};

/** One row for each option: what of the settings it says, and how. */
const rows: Array<{ of: (settings: PortSettings) => string; options: (to: PortSettings) => string[] }> = [
  { of: each => each.guest, options: to => ["--guest", to.guest] },
  { of: each => each.model, options: to => ["--model", to.model] },
  { of: each => each.mac.toLowerCase(), options: to => (to.mac ? ["--mac", to.mac] : []) },
  { of: each => words(each.ips).join(), options: to => list("--ip", words(to.ips)) },
  { of: each => [...each.filters].sort().join(), options: to => list("--filter", to.filters) },
  { of: each => each.inbound, options: to => (to.inbound ? ["--inbound", to.inbound] : []) },
  { of: each => words(each.allow).join(), options: to => list("--allow", words(to.allow)) },
  { of: each => String(each.isolated), options: to => [to.isolated ? "--isolated" : "--no-isolated"] },
  { of: each => each.bandwidthIn, options: to => ["--bandwidth-in", to.bandwidthIn || "none"] },
  { of: each => each.bandwidthOut, options: to => ["--bandwidth-out", to.bandwidthOut || "none"] },
  { of: each => [words(each.vlan).join(), each.trunk, each.native].join("/"), options: vlanOptions },
];

/** The options for what differs; of a new port for what is said at all. */
export const optionsOf = (from: PortSettings, to: PortSettings): string[] =>
  rows.flatMap(row => (row.of(from) === row.of(to) ? [] : row.options(to)));

/**
 * What the form has changed, on top of what the port is now: others may have changed it since the form was
 * opened, and a move attaches it anew with all its settings.
 */
export function changedOnto(now: PortSettings, from: PortSettings, to: PortSettings): PortSettings {
  const keys = (Object.keys(to) as Array<keyof PortSettings>).filter(key => to[key] !== from[key]);
  const changed = Object.fromEntries(keys.map(key => [key, to[key]]));
  const vlan = keys.some(key => key === "vlan" || key === "trunk" || key === "native")
    ? { vlan: to.vlan, trunk: to.trunk, native: to.native }
    : {};
  const kept = now.filters.filter(each => to.filters.includes(each) || !from.filters.includes(each));
  const added = to.filters.filter(each => !from.filters.includes(each) && !kept.includes(each));
  return { ...now, ...changed, ...vlan, filters: [...kept, ...added] };
}

/** The commands that make the port what the form says; none where nothing differs. */
export function editCommands(port: Port, to: PortSettings): string[][] {
  const from = settingsOf(port);
  if (to.network === from.network) {
    const options = optionsOf(from, to);
    return options.length ? [["set", port.interface, ...options]] : [];
  }
  return [["detach", port.interface], attachCommand(port.interface, to)];
}

export const attachCommand = (name: string, to: PortSettings): string[] => [
  "attach",
  name,
  "--network",
  to.network,
  ...optionsOf({ ...emptySettings, model: "" }, to),
];

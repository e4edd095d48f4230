// SPDX-License-Identifier: GPL-2.0-or-later
// What vnet-bpf prints with --json, as far as the page shows it.

export interface Network {
  name: string;
  uuid: string;
  mode: string;
  state: "active" | "inactive";
  gateway: string | null;
  autostart: boolean;
  ports: number;
}

export interface NetworkDetails extends Network {
  addresses?: string[];
  added_addresses?: string[];
  mac?: string | null;
  mtu?: number | null;
  domain?: string | null;
  uplinks?: string[];
  routes?: string[];
  port_forwards?: string[];
  dnsmasq?: boolean;
  host_firewall?: string;
  sessions?: number;
  max_sessions?: number;
}

export interface Lease {
  expiry: number;
  mac: string | null;
  ip: string;
  prefix: number;
  hostname: string;
}

export interface Rate {
  average: number;
  peak: number;
  burst: number;
}

export interface Vlan {
  trunk: boolean;
  applied: boolean;
  tags: number[];
  native?: number;
}

export interface Port {
  interface: string;
  network: string | null;
  type: string;
  source: string | null;
  model: string | null;
  mac: string | null;
  ips: string[];
  state: string;
  filters: string[];
  inbound: string;
  allow: string[];
  isolated: boolean;
  guest: string;
  vlan: Vlan | null;
  bandwidth: { inbound: Rate | null; outbound: Rate | null } | null;
}

export interface Counters {
  interface: string;
  network?: string;
  rx_packets: number;
  rx_bytes: number;
  tx_packets: number;
  tx_bytes: number;
  drops: Record<string, number>;
}

export interface Stats {
  time: number;
  networks: Array<Omit<Counters, "interface"> & { network: string; sessions: number; max_sessions: number }>;
  ports: Counters[];
  uplinks: Counters[];
}

export interface Endpoint {
  address: string;
  port: number;
}

export interface Flow {
  network: string;
  interface: string;
  protocol: string;
  state: string;
  inbound: boolean;
  inside: Endpoint;
  outside: Endpoint;
  translated: Endpoint | null;
  age: number;
  idle: number;
  timeout: number;
  out_packets: number;
  out_bytes: number;
  in_packets: number;
  in_bytes: number;
  bits_per_second: number;
}

export interface Packet {
  text: string;
}

export interface Step {
  where: string;
  interface: string;
  verdict: string;
  details: string[];
}

export interface Explanation {
  packet: Packet;
  steps: Step[];
  fate: string;
  interface: string;
  reaches: string[];
  reason: string;
  meaning: string;
  cause: string;
  arrives: Packet;
  notes: string[];
}

export interface Finding {
  check: string;
  severity: "problem" | "note";
  what: string;
  why: string;
  fix: string;
}

export interface Findings {
  ok: boolean;
  checks: Array<{ check: string; question: string; state: string }>;
  findings: Finding[];
}

export interface Forward {
  network: string;
  active: boolean;
  protocol: string;
  port: string;
  listen: string | null;
  to: string;
  to_port: string;
  from: string[];
  sessions: number;
}

export interface Drop {
  time: number;
  reason: string;
  hook: string;
  interface: string;
  network: string | null;
  port: string | null;
  length: number;
  protocol: string;
  source: Endpoint | null;
  destination: Endpoint | null;
  kernel_reason?: string;
  not_shown?: number;
}

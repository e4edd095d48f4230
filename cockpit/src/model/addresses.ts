// SPDX-License-Identifier: GPL-2.0-or-later
// The addresses of a port: those that it was given, else those that its MAC has leased.
import type { Lease, Port } from "../lib/types";

export function addressesOf(port: Port, leases: Lease[]): string[] {
  const mac = port.mac?.toLowerCase();
  const leased = leases.filter(lease => mac && lease.mac?.toLowerCase() === mac).map(lease => lease.ip);
  return [...new Set([...port.ips, ...leased])];
}

/** ADDRESS:PORT, with brackets around an IPv6 address; without a port the address alone. */
export const endpointText = (address: string, port: number | string): string =>
  port === 0 || port === "" ? address : `${address.includes(":") ? `[${address}]` : address}:${port}`;

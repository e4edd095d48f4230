// SPDX-License-Identifier: GPL-2.0-or-later
// Facts that several views put together from more than one verb.
import type { Lease, Network, NetworkDetails, Port } from "./types";
import { look } from "./vnet";

/** Every network with its details; one that vanishes between the two questions is left out. */
export async function allNetworks(): Promise<NetworkDetails[]> {
  const networks = await look<Network[]>("list", "--all");
  const details = await Promise.all(
    networks.map(each => look<NetworkDetails>("show", each.name).catch(() => undefined)),
  );
  return details.filter(each => each !== undefined);
}

export interface PortFacts {
  networks: Network[];
  ports: Port[];
  leases: Lease[];
}

export async function allPorts(): Promise<PortFacts> {
  const [networks, ports] = await Promise.all([look<Network[]>("list", "--all"), look<Port[]>("ports")]);
  const withGuests = networks.filter(each => each.state === "active" && each.ports > 0);
  const leases = await Promise.all(
    withGuests.map(each => look<Lease[]>("leases", each.name).catch(() => [])),
  );
  return { networks, ports, leases: leases.flat() };
}

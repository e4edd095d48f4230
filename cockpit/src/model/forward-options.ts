// SPDX-License-Identifier: GPL-2.0-or-later
// The commands that add and remove a port forward.
import type { Forward } from "../lib/types";

export const newForward = { network: "", proto: "tcp", port: "", to: "", listen: "", from: "" };

export type ForwardSettings = typeof newForward;

// Of a running network both the network and its definition, so that the next start has it, too.
const where = (active: boolean): string[] => (active ? ["--live", "--config"] : ["--config"]);

export const addForward = (settings: ForwardSettings, active: boolean): string[] => [
  "forward",
  "add",
  settings.network,
  "--proto",
  settings.proto,
  "--port",
  settings.port.trim(),
  "--to",
  settings.to.trim(),
  ...(settings.listen.trim() ? ["--listen", settings.listen.trim()] : []),
  ...settings.from
    .split(/[\s,]+/)
    .filter(Boolean)
    .flatMap(prefix => ["--from", prefix]),
  ...where(active),
];

export const removeForward = (forward: Forward, active: boolean): string[] => [
  "forward",
  "remove",
  forward.network,
  "--proto",
  forward.protocol,
  "--port",
  forward.port,
  ...(forward.listen ? ["--listen", forward.listen] : []),
  ...where(active),
];

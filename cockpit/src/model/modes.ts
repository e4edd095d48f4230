// SPDX-License-Identifier: GPL-2.0-or-later
// The modes of networks, as docs/modes.md has them: one row each.
import { N_ } from "./mark";

export interface Mode {
  name: string; // of the form: direct attachment has one for each of its modes
  label: string;
  summary: string;
  shown: string; // `list`'s word
  gateway: boolean; // a bridge of ours with the host's address, DHCP and DNS
  outside: boolean; // reaches the outside
  translated: boolean;
}

export const modes: Mode[] = [
  {
    name: "nat",
    label: N_("NAT"),
    shown: "nat",
    gateway: true,
    outside: true,
    translated: true,
    summary: N_(
      "Guests reach the outside with the host's address. Nobody outside reaches them, but by port forwards.",
    ),
  },
  {
    name: "route",
    label: N_("Routed"),
    shown: "route",
    gateway: true,
    outside: true,
    translated: false,
    summary: N_("Guests have addresses of their own outside. Routers there need a route to the subnet."),
  },
  {
    name: "open",
    label: N_("Open"),
    shown: "open",
    gateway: true,
    outside: true,
    translated: false,
    summary: N_("As routed, but the host's own firewall alone decides."),
  },
  {
    name: "isolated",
    label: N_("Isolated"),
    shown: "isolated",
    gateway: true,
    outside: false,
    translated: false,
    summary: N_("Guests reach each other and the host, and nothing else."),
  },
  {
    name: "bridge",
    label: N_("Bridged"),
    shown: "bridge",
    gateway: false,
    outside: true,
    translated: false,
    summary: N_("Guests are in the outside's own network, by a bridge that the host has already."),
  },
  {
    name: "direct-bridge",
    label: N_("Direct: bridge"),
    shown: "direct",
    gateway: false,
    outside: true,
    translated: false,
    summary: N_("On a physical interface. Guests, the host and the outside reach each other."),
  },
  {
    name: "direct-vepa",
    label: N_("Direct: VEPA"),
    shown: "direct",
    gateway: false,
    outside: true,
    translated: false,
    summary: N_(
      "On a physical interface. Guests reach each other by way of a switch that sends frames back.",
    ),
  },
  {
    name: "direct-private",
    label: N_("Direct: private"),
    shown: "direct",
    gateway: false,
    outside: true,
    translated: false,
    summary: N_("On a physical interface. Guests reach the outside, and not each other."),
  },
  {
    name: "direct-passthrough",
    label: N_("Direct: passthrough"),
    shown: "direct",
    gateway: false,
    outside: true,
    translated: false,
    summary: N_("A physical interface for one guest alone."),
  },
];

export const modeShown = (word: string): Mode => modes.find(mode => mode.shown === word) ?? modes[0];

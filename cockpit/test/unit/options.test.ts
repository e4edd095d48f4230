// SPDX-License-Identifier: GPL-2.0-or-later
import assert from "node:assert/strict";
import test from "node:test";

import type { Port } from "../../src/lib/types";
import { addressesOf, endpointText } from "../../src/model/addresses";
import { addForward, removeForward } from "../../src/model/forward-options";
import {
  attachCommand,
  changedOnto,
  editCommands,
  emptySettings,
  settingsOf,
} from "../../src/model/port-options";

const port: Port = {
  interface: "vnet0",
  network: "lab",
  type: "network",
  source: "virbr1",
  model: "virtio",
  mac: "52:54:00:00:00:01",
  ips: ["10.0.0.5"],
  state: "up",
  filters: ["clean-traffic"],
  inbound: "accept",
  allow: ["tcp/22"],
  isolated: false,
  guest: "web",
  vlan: { trunk: true, applied: true, tags: [10, 20, 30], native: 30 },
  bandwidth: { inbound: { average: 100, peak: 0, burst: 64 }, outbound: null },
};

test("a port that is not changed needs no command", () => {
  assert.deepEqual(editCommands(port, settingsOf(port)), []);
});

test("only what differs becomes an option, and an empty list takes all back", () => {
  const to = {
    ...settingsOf(port),
    filters: [],
    allow: "tcp/22 udp/53@10.0.0.0/8",
    bandwidthIn: "",
    isolated: true,
  };
  assert.deepEqual(editCommands(port, to), [
    [
      "set",
      "vnet0",
      "--filter",
      "none",
      "--allow",
      "tcp/22",
      "--allow",
      "udp/53@10.0.0.0/8",
      "--isolated",
      "--bandwidth-in",
      "none",
    ],
  ]);
});

test("a trunk has its tags and the native one apart", () => {
  const settings = settingsOf(port);
  assert.equal(settings.vlan, "10,20");
  assert.equal(settings.native, "30");
  assert.equal(settings.bandwidthIn, "100,0,64");
  assert.deepEqual(editCommands(port, { ...settings, native: "40" }), [
    ["set", "vnet0", "--vlan-trunk", "10,20", "--vlan-native", "40"],
  ]);
  assert.deepEqual(editCommands(port, { ...settings, trunk: false, vlan: "", native: "" }), [
    ["set", "vnet0", "--vlan", "none"],
  ]);
});

test("into another network a port goes with all that it has", () => {
  const [detach, attach] = editCommands(port, { ...settingsOf(port), network: "other" });
  assert.deepEqual(detach, ["detach", "vnet0"]);
  assert.deepEqual(attach, [
    "attach",
    "vnet0",
    "--network",
    "other",
    "--guest",
    "web",
    "--model",
    "virtio",
    "--mac",
    "52:54:00:00:00:01",
    "--ip",
    "10.0.0.5",
    "--filter",
    "clean-traffic",
    "--inbound",
    "accept",
    "--allow",
    "tcp/22",
    "--bandwidth-in",
    "100,0,64",
    "--vlan-trunk",
    "10,20",
    "--vlan-native",
    "30",
  ]);
});

test("what others have set since the form was opened stays, filters one by one", () => {
  const opened = { ...settingsOf(port), filters: ["no-ip-multicast"], inbound: "accept" };
  const now = { ...opened, filters: ["no-ip-multicast", "clean-traffic"], inbound: "drop" };
  assert.deepEqual(changedOnto(now, opened, { ...opened, network: "other" }), { ...now, network: "other" });
  const to = { ...opened, filters: ["no-arp-spoofing"] };
  assert.deepEqual(changedOnto(now, opened, to).filters, ["clean-traffic", "no-arp-spoofing"]);
  const untagged = changedOnto({ ...now, vlan: "7" }, opened, { ...opened, trunk: false, vlan: "10" });
  assert.deepEqual([untagged.vlan, untagged.trunk, untagged.native], ["10", false, opened.native]);
});

test("a new port without a word of its own has the network's defaults", () => {
  assert.deepEqual(attachCommand("vnet1", { ...emptySettings, network: "lab", model: "" }), [
    "attach",
    "vnet1",
    "--network",
    "lab",
  ]);
});

test("a forward of a running network is changed there and in its definition", () => {
  const settings = {
    network: "lab",
    proto: "tcp",
    port: "80",
    to: "10.0.0.5:8080",
    listen: "",
    from: "10.0.0.0/8, ::/0",
  };
  assert.deepEqual(addForward(settings, true), [
    "forward",
    "add",
    "lab",
    "--proto",
    "tcp",
    "--port",
    "80",
    "--to",
    "10.0.0.5:8080",
    "--from",
    "10.0.0.0/8",
    "--from",
    "::/0",
    "--live",
    "--config",
  ]);
  const forward = {
    network: "lab",
    active: false,
    protocol: "tcp",
    port: "80",
    listen: "192.0.2.1",
    to: "10.0.0.5",
    to_port: "80",
    from: [],
    sessions: 0,
  };
  assert.deepEqual(removeForward(forward, false), [
    "forward",
    "remove",
    "lab",
    "--proto",
    "tcp",
    "--port",
    "80",
    "--listen",
    "192.0.2.1",
    "--config",
  ]);
});

test("a port's addresses are its own and those that its MAC has leased", () => {
  const lease = { expiry: 0, mac: "52:54:00:00:00:01", ip: "10.0.0.6", prefix: 24, hostname: "web" };
  assert.deepEqual(addressesOf(port, [lease, { ...lease, mac: null, ip: "10.0.0.7" }]), [
    "10.0.0.5",
    "10.0.0.6",
  ]);
  assert.equal(endpointText("fd00::1", 80), "[fd00::1]:80");
  assert.equal(endpointText("10.0.0.1", 0), "10.0.0.1");
});

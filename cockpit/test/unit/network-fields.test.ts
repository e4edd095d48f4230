// SPDX-License-Identifier: GPL-2.0-or-later
import assert from "node:assert/strict";
import test from "node:test";

import { DOMParser } from "@xmldom/xmldom";

import { modes } from "../../src/model/modes";
import { newNetwork, readAll, withField } from "../../src/model/network-fields";
import { parse, print } from "../../src/model/xml";

Object.assign(globalThis, { DOMParser });

const read = (xml: string) => readAll(parse(xml));
const none = { names: [], bridges: [], subnets: [] };

test("a new network takes a name, a bridge and a subnet that are free", () => {
  const xml = newNetwork({
    names: ["network1"],
    bridges: ["virbr0", "virbr1"],
    subnets: ["192.168.122.1/24"],
  });
  const values = read(xml);
  assert.equal(values.name, "network2");
  assert.equal(values.bridge, "virbr2");
  assert.equal(values.ipv4, "192.168.123.1/24");
  assert.equal(values.mode, "nat");
});

test("what the form writes it reads again", () => {
  let xml = newNetwork(none);
  const written: Record<string, string> = {
    name: "lab",
    mode: "route",
    dev: "eth1",
    bridge: "br7",
    ipv4: "10.1.2.1/26",
    dhcp4: "10.1.2.2-10.1.2.9",
    ipv6: "fd00:7::1/64",
    domain: "lab.example",
    mtu: "1400",
    vlan: "10",
    firewall: "honor",
    inbound: "established",
    access: "services",
    isolated: "yes",
  };
  for (const [name, value] of Object.entries(written)) xml = withField(xml, name, value);
  const values = read(xml);
  for (const [name, value] of Object.entries(written)) assert.equal(values[name], value, name);
});

test("what the form does not know stays, comments and settings of others included", () => {
  const xml = `<network><name>a</name><!-- mine --><metadata>
    <vnet:network xmlns:vnet="urn:vnet-bpf:network:1"><vnet:macNat/></vnet:network>
    <other:x xmlns:other="u:o" y="1"/>
    </metadata>
    <forward mode='nat'><nat><port start='1024' end='2048'/></nat></forward><bridge name='b' stp='on'/>
    <ip address='10.0.0.1' netmask='255.255.255.0'>
    <dhcp><host mac='52:54:00:00:00:01' ip='10.0.0.5'/></dhcp></ip>
    </network>`;
  const changed = withField(withField(xml, "domain", "x & y"), "dhcp4", "10.0.0.10-10.0.0.20");
  for (const part of [
    "<!-- mine -->",
    "<vnet:macNat/>",
    'y="1"',
    'start="1024"',
    'stp="on"',
    'ip="10.0.0.5"',
  ])
    assert.ok(changed.includes(part), part);
  assert.ok(changed.includes('<domain name="x &amp; y"/>'));
  assert.equal(read(changed).ipv4, "10.0.0.1/24");
  assert.equal(
    withField(changed, "domain", ""),
    withField(withField(xml, "dhcp4", "10.0.0.10-10.0.0.20"), "domain", ""),
  );
});

test("a setting that is taken back leaves nothing behind", () => {
  const xml = newNetwork(none);
  const with_ = withField(withField(xml, "inbound", "drop"), "vlan", "7");
  assert.equal(withField(withField(with_, "inbound", ""), "vlan", ""), print(parse(xml)));
});

test("each mode is read as it was chosen, and loses what has no meaning in it", () => {
  for (const mode of modes) {
    const values = read(withField(withField(newNetwork(none), "nat6", "yes"), "mode", mode.name));
    assert.equal(values.mode, mode.name);
    assert.equal(values.ipv4 !== "", mode.gateway, mode.name);
    assert.equal(values.nat6 !== "", mode.name === "nat", mode.name);
  }
});

test("an address that is half typed stays as it is", () => {
  assert.equal(read(withField(newNetwork(none), "ipv4", "10.0.0.1/")).ipv4, "10.0.0.1");
  assert.equal(read(withField(newNetwork(none), "ipv4", "10.0")).ipv4, "10.0");
});

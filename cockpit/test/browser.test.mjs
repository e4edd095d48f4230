// SPDX-License-Identifier: GPL-2.0-or-later
// The page in headless Chromium, in the real Cockpit, with real networks, guests and traffic.
// SHOTS=DIR keeps pictures.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { Lab, missing } from "./lab.mjs";
import { fitsItsWidth, openBrowser, seemsAccessible, setTheme, shot, show, tabTo, views } from "./pages.mjs";

const skip = missing() || false;
// What a hostile guest might call itself: a word that would be an element if it were not rendered as text.
const hostile = process.env.SHOTS ? "mail" : "<img/src=x/onerror=window.hacked=1>";

const nat = `<network><name>default</name><forward mode='nat'/><bridge name='virbr0' stp='off'/>
  <ip address='192.168.122.1' netmask='255.255.255.0'>
    <dhcp><range start='192.168.122.2' end='192.168.122.254'/></dhcp></ip></network>`;
const isolated = `<network><name>inside</name><bridge name='virbr1' stp='off'/>
  <ip address='192.168.50.1' netmask='255.255.255.0'/></network>`;

let lab, browser, page, wrong, url, addresses;

before(async () => {
  if (skip) return;
  lab = await new Lab().open(3);
  try {
    lab.vnetInput(nat, "up", "-");
    lab.vnetInput(isolated, "up", "-");
    for (const n of [1, 2]) {
      const address = `192.168.122.1${n}`;
      lab.vnet(
        "attach",
        `vnet${n}`,
        "--network",
        "default",
        "--mac",
        lab.mac(n),
        "--ip",
        address,
        "--model",
        "virtio",
        "--guest",
        n === 1 ? "web" : hostile,
      );
      lab.ip(`g${n}`, `addr add ${address}/24 dev eth0`);
      lab.ip(`g${n}`, "route add default via 192.168.122.1");
      await lab.reachable(`g${n}`, "203.0.113.2");
    }
    lab.background("g1", ["ping", "-i0.2", "-s1000", "203.0.113.2"]);
    lab.ip("out", "route add 192.168.122.0/24 via 203.0.113.1");
    lab.background("out", ["ping", "-i0.5", "192.168.122.11"]);
    addresses = await lab.cockpit();
    url = addresses.page;
    ({ browser, page, wrong } = await openBrowser(lab));
    await show(page, url, "networks");
  } catch (error) {
    lab.close();
    throw error;
  }
});

after(async () => {
  await browser?.close();
  lab?.close();
});

const port = name => lab.json("ports").find(each => each.interface === name);
const network = name => lab.json("list", "--all").find(each => each.name === name);
const row = name => page.locator(`tr[data-row="${name}"]`);
const dialog = () => page.getByRole("dialog");
const choose = async (menu, item) => {
  await page.getByRole("button", { name: menu, exact: true }).click();
  await page.getByRole("menuitem", { name: item, exact: true }).click();
};
const press = async name => {
  await dialog().getByRole("button", { name, exact: true }).click();
  await dialog().waitFor({ state: "detached" });
};

test("networks: mode, state, subnet, uplink and guests", { skip }, async () => {
  await show(page, url, "networks");
  const text = await row("default").innerText();
  for (const word of ["NAT", "active", "192.168.122.1/24", "up0"])
    assert.ok(text.includes(word), `${word}: ${text}`);
  await row("inside").getByText("Isolated").waitFor();
  await shot(page, "networks");
  await show(page, url, "networks/default");
  await page.getByRole("img", { name: /^NAT:/ }).waitFor();
  await shot(page, "network");
});

test("networks: created by the form, whose XML follows each key", { skip }, async () => {
  await show(page, url, "networks");
  await page.getByRole("button", { name: "Create network" }).click();
  await page.getByLabel("Name", { exact: true }).fill("lab");
  await page.getByLabel("Mode").selectOption("route");
  await page.getByLabel("IPv4 address").fill("10.9.8.1/24");
  await page.getByLabel("DHCP range").fill("10.9.8.2-10.9.8.99");
  const xml = await page.getByRole("textbox", { name: "XML" }).inputValue();
  for (const part of [
    "<name>lab</name>",
    '<forward mode="route"/>',
    'address="10.9.8.1"',
    'start="10.9.8.2"',
  ])
    assert.ok(xml.includes(part), xml);
  await shot(page, "create");
  await press("Create");
  assert.equal(network("lab").state, "active");
  await row("lab").getByText("10.9.8.1/24").waitFor();
});

test("networks: what the program says about a form is shown as it is", { skip }, async () => {
  await show(page, url, "networks");
  await page.getByRole("button", { name: "Create network" }).click();
  await page.getByLabel("IPv4 address").fill("10.9.300.1/24");
  await dialog()
    .getByText(/vnet-bpf: error: <stdin>:\d+: .*10\.9\.300\.1/)
    .waitFor();
  await dialog().getByRole("button", { name: "Create", exact: true }).click();
  await dialog().getByText("Create network").waitFor(); // it stays open
  await page.keyboard.press("Escape");
});

test("networks: edited, marked for boot, stopped, started and deleted", { skip }, async () => {
  await show(page, url, "networks/lab");
  await page.getByRole("button", { name: "Edit", exact: true }).click();
  await page.getByLabel("DNS domain").fill("lab.example");
  await press("Apply");
  assert.equal(lab.json("show", "lab").domain, "lab.example");
  await page.getByText("lab.example").first().waitFor();
  await choose("Actions of network lab", "Start at boot");
  await page.waitForFunction(() => /Autostart\s*yes/.test(document.body.innerText));
  assert.equal(network("lab").autostart, true);
  await choose("Actions of network lab", "Stop");
  await press("Stop");
  assert.equal(network("lab").state, "inactive");
  await page.getByText("inactive", { exact: true }).waitFor();
  await choose("Actions of network lab", "Start");
  await page.getByText("active", { exact: true }).waitFor();
  assert.equal(network("lab").state, "active");
  await choose("Actions of network lab", "Stop");
  await press("Stop");
  await page.getByText("inactive", { exact: true }).waitFor();
  await show(page, url, "networks");
  await choose("Actions of network lab", "Delete");
  await press("Delete");
  await row("lab").waitFor({ state: "detached" });
  assert.equal(network("lab"), undefined);
});

test("interfaces: the columns of each guest's card", { skip }, async () => {
  await show(page, url, "interfaces");
  const heads = await page.getByRole("columnheader").allInnerTexts();
  for (const head of ["Guest", "Type", "Model type", "MAC address", "IP address", "Source", "State"])
    assert.ok(heads.includes(head), `${head}: ${heads}`);
  const text = await row("vnet1").innerText();
  for (const word of ["web", "network", "virtio", lab.mac(1), "192.168.122.11", "default", "up"])
    assert.ok(text.includes(word), `${word}: ${text}`);
});

test("interfaces: what a guest is called is text, and nothing else", { skip }, async () => {
  await row("vnet2").getByText(hostile).waitFor();
  assert.equal(await page.locator("td img").count(), 0);
  assert.equal(await page.evaluate(() => window.hacked), undefined);
});

test("interfaces: unplugged and plugged in", { skip }, async () => {
  await page.getByRole("button", { name: "Unplug vnet2" }).click();
  await row("vnet2").getByText("down", { exact: true }).waitFor();
  assert.equal(port("vnet2").state, "down");
  await page.getByRole("button", { name: "Plug vnet2" }).click();
  await row("vnet2").getByText("up", { exact: true }).waitFor();
  assert.equal(port("vnet2").state, "up");
});

test("interfaces: edited, moved to another network and back", { skip }, async () => {
  await choose("Actions of vnet2", "Edit");
  await page.getByLabel(/^Clean traffic/).check();
  await page.getByLabel(/^Inbound/).selectOption("established");
  await page.getByLabel("Let in all the same").fill("tcp/22@192.0.2.0/24 tcp/443");
  await page.getByLabel("Bandwidth: received at most").fill("10000,20000");
  await page.getByLabel("VLAN", { exact: true }).fill("10");
  await shot(page, "edit");
  await press("Save");
  const set = port("vnet2");
  assert.deepEqual(set.filters, ["clean-traffic"]);
  assert.equal(set.inbound, "established");
  assert.deepEqual(set.allow, ["tcp/22@192.0.2.0/24", "tcp/443"]);
  assert.equal(set.bandwidth.inbound.peak, 20000);
  assert.deepEqual(set.vlan.tags, [10]);
  await shot(page, "interfaces");
  await choose("Actions of vnet2", "Edit");
  await dialog()
    .getByLabel(/^Network/)
    .selectOption("inside");
  await page.getByLabel("IP addresses").fill("192.168.50.7");
  await press("Save");
  assert.equal(port("vnet2").network, "inside");
  assert.deepEqual(port("vnet2").filters, ["clean-traffic"]);
  await row("vnet2").getByText("inside").waitFor();
});

test("interfaces: added and removed; an error stays in the form", { skip }, async () => {
  await page.getByRole("button", { name: "Add interface" }).click();
  await page.getByRole("textbox", { name: "Interface" }).fill("nope0");
  await dialog().getByRole("button", { name: "Add", exact: true }).click();
  await dialog()
    .getByText(/vnet-bpf: error: .*nope0/)
    .waitFor();
  await page.getByRole("textbox", { name: "Interface" }).fill("vnet3");
  await page.getByRole("textbox", { name: "Guest" }).fill("db");
  await page.getByRole("textbox", { name: "MAC address" }).fill(lab.mac(3));
  await press("Add");
  assert.equal(port("vnet3").guest, "db");
  await row("vnet3").getByText("db").waitFor();
  await choose("Actions of vnet3", "Remove");
  await press("Remove");
  await row("vnet3").waitFor({ state: "detached" });
  assert.equal(port("vnet3"), undefined);
});

test("traffic: rates, drops with their meaning and remedy, and drops as they happen", { skip }, async () => {
  await show(page, url, "live");
  await page.waitForFunction(() => /vnet1\s+web\s+[1-9][\d.]* kbit/.test(document.body.innerText));
  const drop = row("uplink up0 not-visible");
  await drop.getByText("a new connection from outside to a network that is not visible").waitFor();
  await drop.getByText("Add a port forward").waitFor();
  await page.getByRole("button", { name: "Watch" }).click();
  await page
    .getByText(/icmp 203\.0\.113\.2/)
    .first()
    .waitFor();
  if (process.env.SHOTS) await page.waitForTimeout(60000); // for charts that are worth a picture
  await shot(page, "traffic");
  await page.getByRole("button", { name: "Stop watching" }).click();
});

test("flows: the guest's session, inside, outside and translated", { skip }, async () => {
  await show(page, url, "flows");
  const text = await page.getByRole("row", { name: /icmp/ }).first().innerText();
  for (const word of ["vnet1", "established", "192.168.122.11", "203.0.113.2", "203.0.113.1"])
    assert.ok(text.includes(word), `${word}: ${text}`);
  await page.getByLabel("Protocol").selectOption("tcp");
  await page.getByText("There is no session.").waitFor();
});

test("explain: hop by hop, and what drops it", { skip }, async () => {
  await show(page, url, "explain");
  await page.getByLabel("The packet comes in at").selectOption("vnet1");
  await page.getByLabel("To", { exact: false }).last().fill("203.0.113.2:443");
  await page.keyboard.press("Enter");
  await page.getByText("It leaves by up0.").waitFor();
  for (const hop of ["port-ingress vnet1: ", "host virbr0: passed", "uplink-egress up0: passed"])
    await page.getByRole("listitem", { name: hop }).first().waitFor();
  await shot(page, "explain");
  await page.getByLabel("The packet comes in at").selectOption("up0");
  await page.getByLabel("From").fill("203.0.113.2");
  await page.getByLabel("To", { exact: false }).last().fill("192.168.122.11:22");
  await page.getByRole("button", { name: "Explain", exact: true }).click();
  await page.getByText("It is dropped at up0.").waitFor();
  await page.getByText(/Because of: network default/).waitFor();
  await page.getByLabel("To", { exact: false }).last().fill("nonsense");
  await page.getByRole("button", { name: "Explain", exact: true }).click();
  await page.getByText(/vnet-bpf: error: .*nonsense/).waitFor();
});

test("port forwards: added and removed", { skip }, async () => {
  await show(page, url, "forwards");
  await page.getByRole("button", { name: "Add port forward" }).click();
  await dialog()
    .getByLabel(/^Network/)
    .selectOption("default");
  await page.getByLabel("The host's port").fill("8080");
  await page.getByLabel("Goes to").fill("192.168.122.11:80");
  await page.getByLabel("From").fill("203.0.113.0/24");
  await press("Add");
  assert.equal(lab.json("forward", "list")[0].to_port, "80");
  await row("default tcp/8080").getByText("192.168.122.11:80").waitFor();
  await shot(page, "forwards");
  await page.getByRole("button", { name: "Remove tcp/8080" }).click();
  await press("Remove");
  await page.getByText("No port of the host is a guest's.").waitFor();
  assert.deepEqual(lab.json("forward", "list"), []);
});

test("doctor: a finding with a button that copies its command", { skip }, async () => {
  lab.in("host", "sysctl", "-qw", "net.ipv4.ip_forward=0");
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await show(page, url, "doctor");
  await page.getByRole("button", { name: "Check again" }).click();
  const finding = page.locator(".pf-v6-c-alert", { hasText: "ip_forward" }).first();
  await finding.getByRole("button", { name: "Copy" }).click();
  await finding.getByText("Copied").waitFor();
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.equal(copied, await finding.locator("code").innerText());
  assert.match(copied, /^sysctl -w net\.ipv4\.ip_forward=1/);
  await shot(page, "doctor");
  lab.in("host", "sysctl", "-qw", "net.ipv4.ip_forward=1");
});

test("axe finds nothing in any view, light or dark", { skip }, async () => {
  for (const style of ["light", "dark"])
    for (const view of views) {
      await show(page, url, view);
      await setTheme(page, style);
      assert.equal(
        await page.evaluate(() => document.documentElement.classList.contains("pf-v6-theme-dark")),
        style === "dark",
      );
      await seemsAccessible(page, `${view}, ${style}`);
    }
  await show(page, url, "networks/default");
  await shot(page, "dark");
  await page.getByRole("button", { name: "Edit", exact: true }).click();
  await seemsAccessible(page, "a form, dark");
  await setTheme(page, "light");
  await seemsAccessible(page, "a form, light");
  await page.keyboard.press("Escape");
});

test("320 px are enough: nothing scrolls sideways", { skip }, async () => {
  await page.setViewportSize({ width: 320, height: 800 });
  for (const view of views) {
    await show(page, url, view);
    await fitsItsWidth(page, view);
    if (view === "interfaces") await shot(page, "narrow");
  }
  await page.getByRole("button", { name: "Check again" }).waitFor();
  await show(page, url, "networks");
  await page.getByRole("button", { name: "Create network" }).click();
  await fitsItsWidth(page, "the form");
  await seemsAccessible(page, "the form, narrow");
  await page.keyboard.press("Escape");
  await page.setViewportSize({ width: 1280, height: 900 });
});

test("the keyboard alone reaches and does everything", { skip }, async () => {
  await show(page, url, "doctor");
  await page.evaluate(() => document.activeElement?.blur());
  await tabTo(page, "Interfaces");
  await page.keyboard.press("Enter");
  await page.waitForSelector('main[data-view="interfaces"] table');
  await tabTo(page, "Unplug vnet1");
  await page.keyboard.press("Enter");
  await row("vnet1").getByText("down", { exact: true }).waitFor();
  await page.keyboard.press("Space");
  await row("vnet1").getByText("up", { exact: true }).waitFor();
  await tabTo(page, "Actions of vnet1");
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Edit" }).waitFor();
  await page.keyboard.press("Enter");
  await dialog().waitFor();
  await tabTo(page, "Guest");
  await page.keyboard.press("Control+A");
  await page.keyboard.type("www");
  await page.keyboard.press("Enter");
  await dialog().waitFor({ state: "detached" });
  assert.equal(port("vnet1").guest, "www");
  await tabTo(page, "Actions of vnet1");
  await page.keyboard.press("Enter");
  await page.getByRole("menuitem", { name: "Edit" }).waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("menuitem", { name: "Edit" }).waitFor({ state: "detached" });
});

test("in the shell, from its menu", { skip }, async () => {
  await page.goto(addresses.shell);
  const frame = page.frameLocator("iframe[name*='vnet-bpf']");
  await frame.getByText("192.168.122.1/24").waitFor({ timeout: 60000 });
  await page.getByRole("link", { name: "Virtual networks" }).waitFor();
  await shot(page, "shell");
});

test(
  "without administrative access nothing can be changed, and the command's word is shown",
  { skip },
  async () => {
    const limited = await lab.cockpit({ port: 9091, user: 65534 });
    await show(page, limited.page, "networks");
    await page.getByText(/vnet-bpf: error: .*must be root/).waitFor();
    await page.getByText("turn on administrative access").waitFor();
    assert.ok(await page.getByRole("button", { name: "Create network" }).isDisabled());
  },
);

test("the page has thrown nothing", { skip }, () => assert.deepEqual(wrong, []));

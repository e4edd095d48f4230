// SPDX-License-Identifier: GPL-2.0-or-later
// The form of a network: each field reads and writes its part of the XML, and leaves the rest alone.
import { N_ } from "./mark";
import { modes } from "./modes";
import { add, child, children, elements, ensure, find, parse, print, prune, setAttribute } from "./xml";

export interface Field {
  name: string;
  label: string;
  help?: string;
  kind: "text" | "switch" | "choice";
  choices?: Array<[value: string, label: string]>;
  modes?: string[]; // where it has a meaning; without it everywhere
  read(document: Document): string; // switches: "yes" or ""
  write(document: Document, value: string): void;
}

const withGateway = modes.filter(mode => mode.gateway).map(mode => mode.name);
const direct = modes.filter(mode => mode.shown === "direct").map(mode => mode.name);

/** A field that is one attribute. */
const attribute = (path: string[], name: string): Pick<Field, "read" | "write"> => ({
  read: document => find(document, ...path)?.getAttribute(name) ?? "",
  write: (document, value) => setAttribute(document, path, name, value),
});

const setting = (element: string, name: string) =>
  attribute(["metadata", "vnet:network", `vnet:${element}`], name);

/** A field that is the text of an element. */
const content = (name: string): Pick<Field, "read" | "write"> => ({
  read: document => find(document, name)?.textContent ?? "",
  write: (document, value) => (ensure(document, name).textContent = value),
});

const prefixOf = (netmask: string): number =>
  netmask.split(".").reduce((bits, part) => bits + Number(part).toString(2).replace(/0/g, "").length, 0);

const isV6 = (ip: Element): boolean => ip.getAttribute("family") === "ipv6";
const ipOf = (document: Document, v6: boolean): Element | undefined =>
  children(document.documentElement, "ip").find(ip => isV6(ip) === v6);

/** The gateway's first address of a family, as ADDRESS/PREFIX. */
const address = (v6: boolean): Pick<Field, "read" | "write"> => ({
  read(document) {
    const ip = ipOf(document, v6);
    if (!ip) return "";
    const netmask = ip.getAttribute("netmask");
    const prefix = ip.getAttribute("prefix") || (netmask && String(prefixOf(netmask)));
    return (ip.getAttribute("address") ?? "") + (prefix ? `/${prefix}` : "");
  },
  write(document, value) {
    let ip = ipOf(document, v6);
    if (!value) {
      prune(ip);
      return;
    }
    if (!ip) {
      ip = document.createElement("ip");
      if (v6) ip.setAttribute("family", "ipv6");
      add(document.documentElement, ip);
    }
    const [number, prefix] = value.split("/");
    ip.setAttribute("address", number);
    ip.removeAttribute("netmask");
    if (prefix === undefined) ip.removeAttribute("prefix");
    else ip.setAttribute("prefix", prefix);
  },
});

/** The first DHCP range of a family, as START-END. */
const range = (v6: boolean): Pick<Field, "read" | "write"> => ({
  read(document) {
    const at = child(child(ipOf(document, v6), "dhcp"), "range");
    return at ? `${at.getAttribute("start") ?? ""}-${at.getAttribute("end") ?? ""}` : "";
  },
  write(document, value) {
    const ip = ipOf(document, v6);
    const there = child(child(ip, "dhcp"), "range");
    if (!value) prune(there);
    if (!value || !ip) return;
    const dhcp = child(ip, "dhcp") ?? ip.appendChild(document.createElement("dhcp"));
    const at = there ?? dhcp.insertBefore(document.createElement("range"), dhcp.firstChild);
    const [start, end = ""] = value.split("-").map(word => word.trim());
    at.setAttribute("start", start);
    at.setAttribute("end", end);
  },
});

const mode: Pick<Field, "read" | "write"> = {
  read(document) {
    const forward = find(document, "forward");
    if (!forward) return "isolated";
    const word = forward.getAttribute("mode") || "nat";
    if (word === "bridge" && !child(forward, "interface")) return "bridge";
    return ["bridge", "private", "vepa", "passthrough"].includes(word) ? `direct-${word}` : word;
  },
  write(document, value) {
    if (value === "isolated") {
      const forward = find(document, "forward");
      forward?.parentNode?.removeChild(forward);
    } else {
      const forward = ensure(document, "forward");
      forward.setAttribute("mode", value.replace("direct-", ""));
      if (direct.includes(value) && !child(forward, "interface"))
        forward.appendChild(document.createElement("interface")).setAttribute("dev", "");
    }
    for (const field of fields)
      if (!hasMeaning(field, value) && field.read(document)) field.write(document, "");
  },
};

/** The physical interfaces of direct attachment, separated by spaces. */
const interfaces: Pick<Field, "read" | "write"> = {
  read: document =>
    children(find(document, "forward"), "interface")
      .map(each => each.getAttribute("dev") ?? "")
      .join(" "),
  write(document, value) {
    const forward = find(document, "forward");
    if (!forward) return;
    for (const each of children(forward, "interface")) forward.removeChild(each);
    const stillDirect = direct.includes(`direct-${forward.getAttribute("mode")}`);
    for (const dev of value ? value.split(/ +/) : stillDirect ? [""] : [])
      forward.appendChild(document.createElement("interface")).setAttribute("dev", dev);
  },
};

const vlan: Pick<Field, "read" | "write"> = {
  read: document =>
    children(find(document, "vlan"), "tag")
      .map(tag => tag.getAttribute("id"))
      .join(" "),
  write(document, value) {
    const there = find(document, "vlan");
    for (const tag of there ? elements(there) : []) there!.removeChild(tag);
    if (!value) {
      there?.parentNode?.removeChild(there);
      return;
    }
    const at = ensure(document, "vlan");
    for (const id of value.split(/[ ,]+/).filter(Boolean))
      at.appendChild(document.createElement("tag")).setAttribute("id", id);
  },
};

export const fields: Field[] = [
  { name: "name", label: N_("Name"), kind: "text", ...content("name") },
  {
    name: "mode",
    label: N_("Mode"),
    kind: "choice",
    choices: modes.map(each => [each.name, each.label]),
    ...mode,
  },
  {
    name: "dev",
    label: N_("Uplink"),
    kind: "text",
    modes: ["nat", "route"],
    ...attribute(["forward"], "dev"),
    help: N_("The one interface to the outside; without it each that the host routes by"),
  },
  {
    name: "interfaces",
    label: N_("Physical interfaces"),
    kind: "text",
    modes: direct,
    ...interfaces,
    help: N_("One, or several separated by spaces"),
  },
  {
    name: "bridge",
    label: N_("Bridge"),
    kind: "text",
    modes: [...withGateway, "bridge"],
    ...attribute(["bridge"], "name"),
    help: N_("Made with the network; in bridged mode one that the host has already"),
  },
  {
    name: "ipv4",
    label: N_("IPv4 address"),
    kind: "text",
    modes: withGateway,
    ...address(false),
    help: N_("The host's in this network, with the prefix: 192.168.150.1/24"),
  },
  {
    name: "dhcp4",
    label: N_("DHCP range"),
    kind: "text",
    modes: withGateway,
    ...range(false),
    help: N_("First and last address, like 192.168.150.2-192.168.150.254; without it there is no DHCP"),
  },
  {
    name: "ipv6",
    label: N_("IPv6 address"),
    kind: "text",
    modes: withGateway,
    ...address(true),
    help: N_("Like fd00:150::1/64; guests make up theirs by router advertisements"),
  },
  {
    name: "nat6",
    label: N_("Masquerade IPv6 too"),
    kind: "switch",
    modes: ["nat"],
    ...attribute(["forward", "nat"], "ipv6"),
  },
  {
    name: "domain",
    label: N_("DNS domain"),
    kind: "text",
    modes: withGateway,
    ...attribute(["domain"], "name"),
  },
  { name: "mtu", label: N_("MTU"), kind: "text", modes: withGateway, ...attribute(["mtu"], "size") },
  {
    name: "vlan",
    label: N_("VLAN"),
    kind: "text",
    ...vlan,
    help: N_("The tag that ports without a VLAN of their own have"),
  },
  {
    name: "firewall",
    label: N_("Host firewall"),
    kind: "choice",
    modes: ["nat", "route"],
    choices: [
      ["", N_("Its rules decide, its policies do not (auto)")],
      ["honor", N_("Its rules and policies decide")],
      ["bypass", N_("It does not see guests' flows")],
    ],
    ...setting("hostFirewall", "mode"),
  },
  {
    name: "inbound",
    label: N_("Inbound default"),
    kind: "choice",
    choices: [
      ["", N_("Accept everything")],
      ["established", N_("Replies only")],
      ["drop", N_("Nothing")],
    ],
    ...setting("inbound", "default"),
  },
  {
    name: "access",
    label: N_("Access to the host"),
    kind: "choice",
    modes: withGateway,
    choices: [
      ["", N_("Everything")],
      ["services", N_("DHCP, DNS, TFTP and ping")],
      ["none", N_("Replies only")],
    ],
    ...setting("host", "access"),
  },
  {
    name: "isolated",
    label: N_("Guests do not reach each other"),
    kind: "switch",
    ...attribute(["port"], "isolated"),
  },
];

export const hasMeaning = (field: Field, mode: string): boolean => !field.modes || field.modes.includes(mode);

export const readAll = (document: Document): Record<string, string> =>
  Object.fromEntries(fields.map(field => [field.name, field.read(document)]));

/** The XML with one field changed. */
export function withField(xml: string, name: string, value: string): string {
  const document = parse(xml);
  fields.find(field => field.name === name)!.write(document, value);
  return print(document);
}

/** What a new network begins with: names and a subnet that no other network of the list has. */
export function newNetwork(taken: { names: string[]; bridges: string[]; subnets: string[] }): string {
  const free = (used: string[], name: (n: number) => string, from: number): string => {
    let n = from;
    while (used.includes(name(n))) n++;
    return name(n);
  };
  const name = free(taken.names, n => `network${n}`, 1);
  const bridge = free(taken.bridges, n => `virbr${n}`, 0);
  const net = free(
    taken.subnets.map(each => each.split(".").slice(0, 3).join(".")),
    n => `192.168.${n}`,
    122,
  );
  return `<network>
  <name>${name}</name>
  <forward mode="nat"/>
  <bridge name="${bridge}"/>
  <ip address="${net}.1" prefix="24">
    <dhcp>
      <range start="${net}.2" end="${net}.254"/>
    </dhcp>
  </ip>
</network>
`;
}

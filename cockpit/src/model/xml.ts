// SPDX-License-Identifier: GPL-2.0-or-later
// Small changes of an XML document that leave everything else in it as it is, comments included.

const NAMESPACE = "urn:vnet-bpf:network:1";
const ELEMENT = 1,
  TEXT = 3,
  COMMENT = 8;

export function parse(text: string): Document {
  const document = new DOMParser().parseFromString(text, "text/xml");
  const wrong = document.getElementsByTagName("parsererror")[0];
  if (wrong)
    throw new Error((wrong.textContent ?? "").split("\n").find(line => line.startsWith("error")) ?? "");
  return document;
}

export const elements = (parent: Node): Element[] =>
  Array.from(parent.childNodes).filter((node): node is Element => node.nodeType === ELEMENT);

export const children = (parent: Node | undefined, name: string): Element[] =>
  parent ? elements(parent).filter(element => element.tagName === name) : [];

export const child = (parent: Node | undefined, name: string): Element | undefined =>
  children(parent, name)[0];

/** The element at a path below the root: find(document, "forward", "nat"). */
export const find = (document: Document, ...path: string[]): Element | undefined =>
  path.reduce<Element | undefined>((at, name) => child(at, name), document.documentElement);

// The order in which libvirt prints a network's elements.
const ORDER = [
  "name",
  "uuid",
  "title",
  "description",
  "metadata",
  "forward",
  "bridge",
  "mac",
  "mtu",
  "domain",
  "dns",
  "bandwidth",
  "vlan",
  "port",
  "portgroup",
  "ip",
  "route",
];

export function ensure(document: Document, ...path: string[]): Element {
  return path.reduce<Element>((parent, name) => {
    const there = child(parent, name);
    if (there) return there;
    const made = name.startsWith("vnet:")
      ? document.createElementNS(NAMESPACE, name)
      : document.createElement(name);
    if (name === "vnet:network") made.setAttribute("xmlns:vnet", NAMESPACE);
    add(parent, made);
    return made;
  }, document.documentElement);
}

/** Puts a new child of the root where libvirt has it; elsewhere last. */
export function add(parent: Element, made: Element): void {
  const rank = ORDER.indexOf(made.tagName);
  const later =
    parent === parent.ownerDocument.documentElement && rank >= 0
      ? elements(parent).find(element => ORDER.indexOf(element.tagName) > rank)
      : undefined;
  parent.insertBefore(made, later ?? null);
}

/** Removes the element, and what of its parents has nothing in it then; never the root. */
export function prune(element: Element | undefined): void {
  for (let at = element; at && at !== at.ownerDocument.documentElement;) {
    const parent: Element = at.parentNode as Element;
    const empty =
      !elements(at).length && !Array.from(at.attributes).some(each => !each.name.startsWith("xmlns"));
    if (!empty && at !== element) return;
    parent.removeChild(at);
    at = parent;
  }
}

/** Sets an attribute at that path; "" removes it, and the element once it says nothing any more. */
export function setAttribute(document: Document, path: string[], name: string, value: string): void {
  if (value) {
    ensure(document, ...path).setAttribute(name, value);
    return;
  }
  const element = find(document, ...path);
  element?.removeAttribute(name);
  if (element && !element.attributes.length && !elements(element).length) prune(element);
}

const escape = (text: string): string =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;").replace(/"/g, "&quot;");

/** The document with an indentation of two spaces. */
export function print(node: Node, indent = ""): string {
  if (node.nodeType === COMMENT) return `${indent}<!--${node.nodeValue}-->\n`;
  if (node.nodeType === TEXT)
    return node.nodeValue?.trim() ? `${indent}${escape(node.nodeValue.trim())}\n` : "";
  if (node.nodeType !== ELEMENT)
    return Array.from(node.childNodes)
      .map(each => print(each, indent))
      .join("");
  const element = node as Element;
  const attributes = Array.from(element.attributes)
    .map(each => ` ${each.name}="${escape(each.value)}"`)
    .join("");
  const begin = `${indent}<${element.tagName}${attributes}`;
  const nodes = Array.from(element.childNodes).filter(
    each => each.nodeType !== TEXT || each.nodeValue?.trim(),
  );
  if (!nodes.length) return `${begin}/>\n`;
  if (nodes.every(each => each.nodeType === TEXT))
    return `${begin}>${escape((element.textContent ?? "").trim())}</${element.tagName}>\n`;
  const inner = nodes.map(each => print(each, `${indent}  `)).join("");
  return `${begin}>\n${inner}${indent}</${element.tagName}>\n`;
}

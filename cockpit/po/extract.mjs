// SPDX-License-Identifier: GPL-2.0-or-later
// Writes po/vnet-bpf.pot, the template for translators: the texts in _(), N_() and ngettext(), and the
// meanings of drop reasons. By TypeScript's own parser, since xgettext does not read JSX.
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

import ts from "typescript";

import { meanings } from "../build/reasons.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const texts = { _: 1, N_: 1, ngettext: 2 }; // how many arguments are texts

/** Each text with its places: the sources, by TypeScript's syntax tree. */
function collect() {
  const found = new Map();
  const note = (id, plural, place) => {
    const entry = found.get(id) ?? { id, plural, places: new Set() };
    found.set(id, { ...entry, plural: plural ?? entry.plural });
    entry.places.add(place);
  };
  const visit = (node, file) => {
    const count = ts.isCallExpression(node) && texts[node.expression.getText()];
    const literals = count ? node.arguments.slice(0, count) : [];
    if (literals.length && literals.every(ts.isStringLiteral))
      note(literals[0].text, literals[1]?.text, file);
    ts.forEachChild(node, child => visit(child, file));
  };
  const sources = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
    .filter(entry => /\.tsx?$/.test(entry.name) && !entry.name.endsWith(".d.ts"))
    .map(entry => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
  for (const file of sources) {
    const text = readFileSync(file, "utf8");
    const tree = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
    visit(tree, relative(root, file));
  }
  for (const meaning of Object.values(meanings())) note(meaning, undefined, "../maps/reasons.h");
  const { menu } = JSON.parse(readFileSync(join(root, "manifest.json"), "utf8"));
  note(menu.index.label, undefined, "manifest.json");
  return [...found.values()];
}

export function template() {
  const head = [
    'msgid ""',
    'msgstr ""',
    '"Project-Id-Version: vnet-bpf\\n"',
    '"MIME-Version: 1.0\\n"',
    '"Content-Type: text/plain; charset=UTF-8\\n"',
    '"Content-Transfer-Encoding: 8bit\\n"',
  ];
  const blocks = collect().map(({ id, plural, places }) => [
    ...[...places].map(place => `#: ${place}`),
    `msgid ${JSON.stringify(id)}`,
    ...(plural ? [`msgid_plural ${JSON.stringify(plural)}`, 'msgstr[0] ""', 'msgstr[1] ""'] : ['msgstr ""']),
  ]);
  return `${[head, ...blocks].map(lines => lines.join("\n")).join("\n\n")}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  writeFileSync(join(root, "po/vnet-bpf.pot"), template());

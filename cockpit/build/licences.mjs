// SPDX-License-Identifier: GPL-2.0-or-later
// Of each npm package that is in the bundle: its licence's name, version and text.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const allowed = new Set(["MIT", "BSD-3-Clause", "0BSD", "ISC"]);

export function bundledPackages(metafile) {
  const names = new Set();
  for (const file of Object.keys(metafile.inputs)) {
    const at = file.lastIndexOf("node_modules/");
    if (at < 0) continue;
    const words = file.slice(at + "node_modules/".length).split("/");
    names.add(words[0].startsWith("@") ? `${words[0]}/${words[1]}` : words[0]);
  }
  return [...names].sort();
}

export function writeLicences(metafile, root, to) {
  const parts = bundledPackages(metafile).map(name => {
    const folder = join(root, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    if (!allowed.has(license)) throw new Error(`${name}: its licence ${license} has not been looked at`);
    const file = readdirSync(folder).find(entry => /^licen[cs]e/i.test(entry));
    const text =
      file && existsSync(join(folder, file)) ? readFileSync(join(folder, file), "utf8").trim() : "";
    return `${name} ${version}: ${license}\n\n${text}\n`;
  });
  writeFileSync(
    to,
    `The npm packages in index.js and index.css.\n\n${parts.join("\n" + "-".repeat(78) + "\n\n")}`,
  );
}

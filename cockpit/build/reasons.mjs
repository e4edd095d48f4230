// SPDX-License-Identifier: GPL-2.0-or-later
// The drop reasons with their meanings, from the program's own header: import "reasons:meanings".
import { readFileSync } from "node:fs";

const header = new URL("../../maps/reasons.h", import.meta.url);

export function meanings() {
  const rows = readFileSync(header, "utf8").matchAll(/^\s*X\(\w+, "([a-z-]+)", "([^"]+)"\)/gm);
  const all = Object.fromEntries([...rows].map(row => [row[1], row[2]]));
  if (!Object.keys(all).length) throw new Error("maps/reasons.h: no reasons found");
  return all;
}

export const reasonsPlugin = {
  name: "reasons",
  setup(build) {
    build.onResolve({ filter: /^reasons:meanings$/ }, args => ({ path: args.path, namespace: "reasons" }));
    build.onLoad({ filter: /.*/, namespace: "reasons" }, () => ({
      contents: JSON.stringify(meanings()),
      loader: "json",
      watchFiles: [header.pathname],
    }));
  },
};

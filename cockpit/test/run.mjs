// SPDX-License-Identifier: GPL-2.0-or-later
// run.mjs unit|browser: the unit tests, bundled from TypeScript; or those with a browser.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

import { reasonsPlugin } from "../build/reasons.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = dirname(here);

async function bundled() {
  const outdir = join(root, ".test");
  const names = readdirSync(join(here, "unit")).filter(name => name.endsWith(".test.ts"));
  await esbuild.build({
    entryPoints: names.map(name => join(here, "unit", name)),
    outdir,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    plugins: [reasonsPlugin],
    logLevel: "warning",
  });
  const scripts = readdirSync(join(here, "unit")).filter(name => name.endsWith(".test.mjs"));
  return [
    ...names.map(name => join(outdir, name.replace(".ts", ".mjs"))),
    ...scripts.map(name => join(here, "unit", name)),
  ];
}

const files = process.argv[2] === "unit" ? await bundled() : [join(here, "browser.test.mjs")];
process.exit(spawnSync(process.execPath, ["--test", ...files], { stdio: "inherit" }).status ?? 1);

// SPDX-License-Identifier: GPL-2.0-or-later
// Builds dist/, the package as Cockpit serves it: build.mjs [--watch].
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import * as esbuild from "esbuild";

import { writeLicences } from "./build/licences.mjs";
import { reasonsPlugin } from "./build/reasons.mjs";
import { translation } from "./build/translation.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const dist = join(here, "dist");

// PatternFly's own fonts and background pictures are left out: the fonts are Cockpit's own (page.css).
const withoutFonts = {
  name: "without-fonts",
  setup(build) {
    build.onLoad({ filter: /react-core[/]dist[/]styles[/]base\.css$/ }, args => ({
      contents: readFileSync(args.path, "utf8")
        .replace(/@font-face *{[^}]*}/g, "")
        .replace(/url\("[^"]*"\)/g, "none"),
      loader: "css",
    }));
  },
};

rmSync(dist, { recursive: true, force: true });
mkdirSync(dist);
for (const file of ["src/index.html", "manifest.json"])
  cpSync(join(here, file), join(dist, file.replace("src/", "")));
for (const file of readdirSync(join(here, "po")).filter(name => name.endsWith(".po")))
  writeFileSync(
    join(dist, `po.${file.slice(0, -3)}.js`),
    translation(readFileSync(join(here, "po", file), "utf8")),
  );

const context = await esbuild.context({
  entryPoints: { index: join(here, "src/index.tsx") },
  outdir: dist,
  bundle: true,
  minify: !process.argv.includes("--watch"),
  sourcemap: false,
  target: ["es2022"],
  jsx: "automatic",
  define: { "process.env.NODE_ENV": '"production"' },
  external: ["../../static/fonts/*"],
  legalComments: "none", // all of them are in LICENSES.txt
  metafile: true,
  plugins: [reasonsPlugin, withoutFonts],
  logLevel: "warning",
});
const result = await context.rebuild();
writeLicences(result.metafile, here, join(dist, "LICENSES.txt"));
if (process.argv.includes("--watch")) await context.watch();
else await context.dispose();

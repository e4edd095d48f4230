// SPDX-License-Identifier: GPL-2.0-or-later
// The browser, and what tests of several files do with the page.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

import { chromium } from "playwright-core";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export const views = [
  "networks",
  "networks/default",
  "interfaces",
  "live",
  "flows",
  "explain",
  "forwards",
  "doctor",
];

export async function openBrowser(lab) {
  const browser = await chromium.launch({
    executablePath: lab.browserProgram(),
    args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
  });
  const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(30000);
  const wrong = [];
  page.on("pageerror", error => wrong.push(error.message));
  return { browser, page, wrong };
}

/** Shows a view, and waits until its facts are there. */
export async function show(page, url, view) {
  await page.goto(`${url}#/${view}`);
  await page.waitForSelector(`main[data-view="${view.split("/")[0]}"]`);
  await page.waitForFunction(() => !document.querySelector("main .pf-v6-c-spinner"), undefined, {
    timeout: 30000,
  });
}

export async function setTheme(page, style) {
  await page.evaluate(name => {
    localStorage.setItem("shell:style", name);
    window.dispatchEvent(new CustomEvent("cockpit-style", { detail: { style: name } }));
  }, style);
  await page.waitForTimeout(400); // colours change by transitions
}

export async function seemsAccessible(page, what) {
  await page.evaluate(axe);
  // The shell, not the page, has the landmarks and the one heading above all.
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const told = violations.map(
    each => `${each.id}: ${each.nodes.map(node => node.html.slice(0, 160)).join(" | ")}`,
  );
  assert.deepEqual(told, [], `${what}: axe`);
}

export async function fitsItsWidth(page, what) {
  const [wide, width] = await page.evaluate(() => [document.documentElement.scrollWidth, window.innerWidth]);
  assert.ok(wide <= width, `${what}: ${wide} px in a window of ${width} px`);
}

/** Presses Tab until the focus is where it is wanted: what the mouse can reach, the keyboard must. */
export async function tabTo(page, name, presses = 60) {
  for (let n = 0; n < presses; n++) {
    await page.keyboard.press("Tab");
    const focused = await page.evaluate(() => {
      const at = document.activeElement;
      return (
        at?.getAttribute("aria-label") ||
        at?.labels?.[0]?.textContent?.trim() ||
        at?.textContent?.trim() ||
        ""
      );
    });
    if (focused.replace(/\s*\*$/, "") === name) return;
  }
  throw new Error(`Tab does not reach "${name}"`);
}

export async function shot(page, name) {
  if (process.env.SHOTS) await page.screenshot({ path: `${process.env.SHOTS}/${name}.png` });
}

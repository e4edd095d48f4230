// SPDX-License-Identifier: GPL-2.0-or-later
// Light or dark, as chosen in Cockpit's shell, which keeps the choice in the browser's storage.

const prefersDark = window.matchMedia("(prefers-color-scheme: dark)");

function apply(choice = localStorage.getItem("shell:style")): void {
  const dark = choice === "dark" || (choice !== "light" && prefersDark.matches);
  document.documentElement.classList.toggle("pf-v6-theme-dark", dark);
}

export function followTheme(): void {
  apply();
  prefersDark.addEventListener("change", () => apply());
  window.addEventListener("storage", event => event.key === "shell:style" && apply());
  // The shell tells its frames by an event, since a frame of the same origin gets no "storage" of its own.
  window.addEventListener("cockpit-style", event =>
    apply((event as CustomEvent<{ style: string }>).detail.style),
  );
}

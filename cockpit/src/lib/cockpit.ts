// SPDX-License-Identifier: GPL-2.0-or-later
// The part of Cockpit's API that the page uses. ../base1/cockpit.js sets it, before this script runs.

export interface Failure {
  message: string;
  problem: string | null;
  exit_status: number | null;
}

export interface Process {
  input(data: string): Process;
  stream(callback: (data: string) => void): Process;
  then(done: (output: string) => void, failed: (failure: Failure, output: string) => void): unknown;
  close(problem?: string): void;
}

export interface Permission {
  allowed: boolean | null;
  addEventListener(event: "changed", listener: () => void): void;
  close(): void;
}

interface Cockpit {
  gettext(text: string): string;
  ngettext(one: string, many: string, count: number): string;
  format(text: string, ...values: unknown[]): string;
  format_bytes(bytes: number): string;
  spawn(command: string[], options: { err: "message"; superuser: "try" | "require" }): Process;
  permission(options: { admin: boolean }): Permission;
  location: { path: string[]; go(path: string[]): void };
  addEventListener(event: "locationchanged", listener: () => void): void;
  removeEventListener(event: "locationchanged", listener: () => void): void;
  transport: { wait(callback: () => void): void };
  language: string;
  language_direction?: string;
}

declare global {
  interface Window {
    cockpit: Cockpit;
  }
}

export const cockpit = window.cockpit;

// SPDX-License-Identifier: GPL-2.0-or-later
// The only module that runs vnet-bpf. What it prints on failure is handed on as it is.
import { cockpit, type Failure } from "./cockpit";

const PROGRAM = "vnet-bpf";

export class CommandError extends Error {}

function run(args: string[], superuser: "try" | "require", input?: string) {
  const process = cockpit.spawn([PROGRAM, ...args], { err: "message", superuser });
  if (input !== undefined) process.input(input);
  return process;
}

function said(failure: Failure): CommandError {
  return new CommandError(failure.message.trim() || failure.problem || PROGRAM);
}

/** What a verb prints as JSON. */
export function look<T>(...args: string[]): Promise<T> {
  return new Promise<string>((resolve, reject) => {
    run([...args, "--json"], "try").then(resolve, (failure, output) => {
      // doctor has findings and exits with 1: what it prints is what counts.
      if (failure.exit_status === 1 && output?.startsWith("{")) resolve(output);
      else reject(said(failure));
    });
  }).then(output => JSON.parse(output) as T); // here, so that what is no JSON is an error, not a silence
}

/** What a verb prints as text. */
export function text(...args: string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    run(args, "try").then(resolve, failure => reject(said(failure)));
  });
}

/** Tries what a verb would do with that input, without doing it. */
export function check(args: string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    run([...args, "--dry-run"], "try", input).then(resolve, failure => reject(said(failure)));
  });
}

/** Changes something: for administrators. */
export function change(args: string[], input?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    run(args, "require", input).then(resolve, failure => reject(said(failure)));
  });
}

/** Follows a verb that prints an object a line; the result ends it. */
export function follow<T>(
  args: string[],
  each: (item: T) => void,
  failed: (error: Error) => void,
): () => void {
  let rest = "";
  const process = run([...args, "--json"], "try");
  process
    .stream(data => {
      const lines = (rest + data).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line) each(JSON.parse(line) as T);
    })
    .then(
      () => undefined,
      failure => failure.problem !== "cancelled" && failed(said(failure)),
    );
  return () => process.close("cancelled");
}

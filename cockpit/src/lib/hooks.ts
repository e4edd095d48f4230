// SPDX-License-Identifier: GPL-2.0-or-later
// What views share: facts that are asked for again and again, the place in the page, the user's rights.
import { createContext, useCallback, useContext, useEffect, useRef, useState } from "react";

import { cockpit } from "./cockpit";

export interface Polled<T> {
  data: T | undefined;
  error: Error | undefined;
  refresh(): void;
}

/** Asks every `seconds`, and at once when `keys` change; one question at a time, none while hidden. */
export function usePolled<T>(ask: () => Promise<T>, seconds: number, keys: unknown[] = []): Polled<T> {
  const [answer, setAnswer] = useState<{ data?: T; error?: Error }>({});
  const [round, setRound] = useState(0);
  const latest = useRef(ask);
  latest.current = ask;

  useEffect(() => {
    let ended = false;
    let timer = 0;
    const again = () => {
      timer = window.setTimeout(() => (document.hidden ? again() : once()), seconds * 1000);
    };
    const once = () => {
      latest
        .current()
        .then(
          data => ended || setAnswer({ data }),
          error => ended || setAnswer(last => ({ data: last.data, error })),
        )
        .finally(() => ended || again());
    };
    once();
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, [seconds, round, ...keys]);

  const refresh = useCallback(() => setRound(round => round + 1), []);
  return { data: answer.data, error: answer.error, refresh };
}

export function useLocation(): string[] {
  const [path, setPath] = useState(cockpit.location.path);
  useEffect(() => {
    const changed = () => setPath(cockpit.location.path);
    cockpit.addEventListener("locationchanged", changed);
    return () => cockpit.removeEventListener("locationchanged", changed);
  }, []);
  return path;
}

export const go = (...path: string[]): void => cockpit.location.go(path);

/** Whether the user is an administrator; undefined until Cockpit has said so. */
export function usePermission(): boolean | undefined {
  const [allowed, setAllowed] = useState<boolean>();
  useEffect(() => {
    const permission = cockpit.permission({ admin: true });
    const changed = () => permission.allowed !== null && setAllowed(permission.allowed);
    permission.addEventListener("changed", changed);
    changed();
    return () => permission.close();
  }, []);
  return allowed;
}

export const MayChange = createContext(false);
export const useMayChange = (): boolean => useContext(MayChange);

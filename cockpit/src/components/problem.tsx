// SPDX-License-Identifier: GPL-2.0-or-later
// What the command said when it failed, as it is; and what is shown while there is no answer yet.
import { Alert, Bullseye, Spinner } from "@patternfly/react-core";
import type { ReactNode } from "react";

import { _ } from "../lib/i18n";
import { useMayChange } from "../lib/hooks";

export function Problem({ error }: { error: Error | undefined }) {
  const mayChange = useMayChange();
  if (!error) return null;
  return (
    <Alert variant="danger" isInline title={error.message} className="vnet-problem" component="p">
      {mayChange
        ? null
        : _("Cockpit has limited access: turn on administrative access to see more and to change.")}
    </Alert>
  );
}

/** The content once there is an answer. */
export function Answer<T>({
  of,
  children,
}: {
  of: { data: T | undefined; error: Error | undefined };
  children: (data: T) => ReactNode;
}) {
  return (
    <>
      <Problem error={of.error} />
      {of.data !== undefined ? (
        children(of.data)
      ) : of.error ? null : (
        <Bullseye>
          <Spinner aria-label={_("Loading")} />
        </Bullseye>
      )}
    </>
  );
}

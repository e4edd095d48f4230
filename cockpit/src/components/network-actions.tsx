// SPDX-License-Identifier: GPL-2.0-or-later
// Start, stop, autostart and delete of a network: one row each.
import { useState } from "react";

import { N_, _, format } from "../lib/i18n";
import type { NetworkDetails } from "../lib/types";
import { change } from "../lib/vnet";
import { Dialog } from "./dialog";
import { Kebab } from "./kebab";
import { Problem } from "./problem";

interface Action {
  title: string;
  applies: (network: NetworkDetails) => boolean;
  command: (name: string) => string[];
  warning?: string; // a question that comes first, for what takes something away
}

const isActive = (network: NetworkDetails) => network.state === "active";

const actions: Action[] = [
  { title: N_("Start"), applies: each => !isActive(each), command: name => ["start", name] },
  {
    title: N_("Stop"),
    applies: isActive,
    command: name => ["stop", name],
    warning: N_("Stop network $0? Its guests lose their connections."),
  },
  { title: N_("Start at boot"), applies: each => !each.autostart, command: name => ["autostart", name] },
  {
    title: N_("Do not start at boot"),
    applies: each => each.autostart,
    command: name => ["autostart", name, "--disable"],
  },
  {
    title: N_("Delete"),
    applies: each => !isActive(each),
    command: name => ["undefine", name],
    warning: N_("Delete the definition of network $0?"),
  },
];

export function NetworkActions({ network, done }: { network: NetworkDetails; done: () => void }) {
  const [asked, setAsked] = useState<Action>();
  const [error, setError] = useState<Error>();
  const run = (action: Action) => change(action.command(network.name)).then(done);
  const choose = (action: Action) => {
    setError(undefined);
    if (action.warning) setAsked(action);
    else run(action).catch(setError);
  };
  return (
    <>
      <Kebab
        label={format(_("Actions of network $0"), network.name)}
        items={actions
          .filter(action => action.applies(network))
          .map(action => ({
            title: _(action.title),
            danger: Boolean(action.warning),
            choose: () => choose(action),
          }))}
      />
      <Problem error={error} />
      {asked?.warning ? (
        <Dialog
          title={_(asked.title)}
          action={_(asked.title)}
          danger
          run={() => run(asked)}
          close={() => setAsked(undefined)}
        >
          <p>{format(_(asked.warning), network.name)}</p>
        </Dialog>
      ) : null}
    </>
  );
}

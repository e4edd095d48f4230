// SPDX-License-Identifier: GPL-2.0-or-later
// Start, stop, autostart and delete of a network: one row each.
import { Dropdown, DropdownItem, DropdownList, MenuToggle } from "@patternfly/react-core";
import EllipsisVIcon from "@patternfly/react-icons/dist/esm/icons/ellipsis-v-icon";
import { useState } from "react";

import { useMayChange } from "../lib/hooks";
import { N_, _, format } from "../lib/i18n";
import type { NetworkDetails } from "../lib/types";
import { change } from "../lib/vnet";
import { Dialog } from "./dialog";
import { Problem } from "./problem";

interface Action {
  title: string;
  applies: (network: NetworkDetails) => boolean;
  command: (name: string) => string[];
  warning?: string; // a question that comes first; %s is the network's name
}

const actions: Action[] = [
  { title: N_("Start"), applies: each => each.state !== "active", command: name => ["start", name] },
  { title: N_("Stop"), applies: each => each.state === "active", command: name => ["stop", name],
    warning: N_("Stop network %s? Its guests lose their connections.") },
  { title: N_("Start at boot"), applies: each => !each.autostart, command: name => ["autostart", name] },
  { title: N_("Do not start at boot"), applies: each => each.autostart,
    command: name => ["autostart", name, "--disable"] },
  { title: N_("Delete"), applies: each => each.state !== "active", command: name => ["undefine", name],
    warning: N_("Delete the definition of network %s?") },
];

export function NetworkActions({ network, done }: { network: NetworkDetails; done: () => void }) {
  const mayChange = useMayChange();
  const [open, setOpen] = useState(false);
  const [asked, setAsked] = useState<Action>();
  const [error, setError] = useState<Error>();
  const run = (action: Action) => change(action.command(network.name)).then(done);
  return (
    <>
      <Dropdown isOpen={open} onOpenChange={setOpen} popperProps={{ position: "right" }}
        toggle={ref => (
          <MenuToggle ref={ref} variant="plain" isExpanded={open} isDisabled={!mayChange} icon={<EllipsisVIcon />}
            aria-label={format(_("Actions of network %s"), network.name)} onClick={() => setOpen(!open)} />
        )}>
        <DropdownList>
          {actions.filter(action => action.applies(network)).map(action => (
            <DropdownItem key={action.title} isDanger={action.title === "Delete"}
              onClick={() => {
                setOpen(false);
                setError(undefined);
                if (action.warning) setAsked(action);
                else run(action).catch(setError);
              }}>{_(action.title)}</DropdownItem>
          ))}
        </DropdownList>
      </Dropdown>
      <Problem error={error} />
      {asked ? (
        <Dialog title={format(_("%s: network %s"), _(asked.title), network.name)} action={_(asked.title)}
          danger={asked.title === "Delete" || asked.title === "Stop"}
          run={() => run(asked)} close={() => setAsked(undefined)}>
          <p>{format(_(asked.warning!), network.name)}</p>
        </Dialog>
      ) : null}
    </>
  );
}

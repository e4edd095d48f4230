// SPDX-License-Identifier: GPL-2.0-or-later
// The host's ports that are guests'.
import { Button } from "@patternfly/react-core";
import { useState } from "react";

import { DataTable } from "../components/data-table";
import { Dialog } from "../components/dialog";
import { Choice, Text } from "../components/inputs";
import { Answer } from "../components/problem";
import { useMayChange, usePolled } from "../lib/hooks";
import { _, format } from "../lib/i18n";
import type { Forward, Network } from "../lib/types";
import { change, look } from "../lib/vnet";
import { endpointText } from "../model/addresses";
import { addForward, newForward, removeForward } from "../model/forward-options";
import { StateLabel } from "./networks";

const all = async () => ({
  forwards: await look<Forward[]>("forward", "list"),
  networks: await look<Network[]>("list", "--all"),
});

const words = (each: Forward) =>
  `${each.protocol}/${each.listen ? endpointText(each.listen, each.port) : each.port}`;

export function Forwards() {
  const facts = usePolled(all, 5);
  const mayChange = useMayChange();
  const [adding, setAdding] = useState(false);
  const [removed, setRemoved] = useState<Forward>();
  const isActive = (name: string) =>
    facts.data?.networks.find(each => each.name === name)?.state === "active";
  const close = () => {
    setAdding(false);
    setRemoved(undefined);
    facts.refresh();
  };
  return (
    <>
      <div className="vnet-bar">
        <Button isDisabled={!mayChange} onClick={() => setAdding(true)}>
          {_("Add port forward")}
        </Button>
      </div>
      <Answer of={facts}>
        {({ forwards, networks }) => (
          <>
            <DataTable
              label={_("Port forwards")}
              rows={forwards}
              rowKey={each => `${each.network} ${words(each)}`}
              empty={_("No port of the host is a guest's.")}
              columns={[
                { title: _("Network"), cell: each => each.network },
                {
                  title: _("State"),
                  cell: each => <StateLabel state={each.active ? "active" : "inactive"} />,
                },
                { title: _("The host's port"), cell: words },
                { title: _("Goes to"), cell: each => endpointText(each.to, each.to_port) },
                { title: _("From"), cell: each => each.from.join(", ") || _("everybody") },
                { title: _("Sessions"), cell: each => each.sessions },
                {
                  title: _("Actions"),
                  hidden: true,
                  cell: each => (
                    <Button
                      variant="link"
                      size="sm"
                      isDanger
                      isDisabled={!mayChange}
                      onClick={() => setRemoved(each)}
                      aria-label={format(_("Remove $0"), words(each))}
                    >
                      {_("Remove")}
                    </Button>
                  ),
                },
              ]}
            />
            {adding ? (
              <AddForward
                networks={networks.filter(each => each.mode !== "bridge" && each.mode !== "direct")}
                close={close}
              />
            ) : null}
          </>
        )}
      </Answer>
      {removed ? (
        <Dialog
          title={_("Remove port forward")}
          action={_("Remove")}
          danger
          close={close}
          run={() => change(removeForward(removed, isActive(removed.network) ?? false))}
        >
          <p>
            {format(
              _("$0 of network $1: the sessions that it has made end."),
              words(removed),
              removed.network,
            )}
          </p>
        </Dialog>
      ) : null}
    </>
  );
}

function AddForward({ networks, close }: { networks: Network[]; close: () => void }) {
  const [settings, setSettings] = useState({ ...newForward, network: networks[0]?.name ?? "" });
  const set = (part: Partial<typeof settings>) => setSettings({ ...settings, ...part });
  const active = networks.find(each => each.name === settings.network)?.state === "active";
  return (
    <Dialog
      title={_("Add port forward")}
      action={_("Add")}
      close={close}
      disabled={!settings.network || !settings.port || !settings.to}
      run={() => change(addForward(settings, active))}
    >
      <Choice
        id="forward-network"
        label={_("Network")}
        value={settings.network}
        change={network => set({ network })}
        choices={networks.map(each => [each.name, each.name])}
      />
      <Choice
        id="forward-proto"
        label={_("Protocol")}
        value={settings.proto}
        change={proto => set({ proto })}
        choices={["tcp", "udp", "sctp"].map(each => [each, each.toUpperCase()])}
      />
      <Text
        id="forward-port"
        label={_("The host's port")}
        required
        value={settings.port}
        change={port => set({ port })}
        help={_("A port, or a range like 8000-8010")}
      />
      <Text
        id="forward-to"
        label={_("Goes to")}
        required
        value={settings.to}
        change={to => set({ to })}
        help={_("The guest's ADDRESS or ADDRESS:PORT")}
      />
      <Text
        id="forward-listen"
        label={_("Listens at")}
        value={settings.listen}
        change={listen => set({ listen })}
        help={_("An address of the host's; empty: each")}
      />
      <Text
        id="forward-from"
        label={_("From")}
        value={settings.from}
        change={from => set({ from })}
        help={_("Prefixes separated by spaces; empty: everybody")}
      />
    </Dialog>
  );
}

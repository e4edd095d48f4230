// SPDX-License-Identifier: GPL-2.0-or-later
// All networks: what they are, and what can be done with each.
import { Button, Label } from "@patternfly/react-core";
import { useState } from "react";

import { DataTable, type Column } from "../components/data-table";
import { NetworkActions } from "../components/network-actions";
import { Answer } from "../components/problem";
import { allNetworks } from "../lib/facts";
import { useMayChange, usePolled } from "../lib/hooks";
import { _ } from "../lib/i18n";
import type { NetworkDetails } from "../lib/types";
import { modeShown } from "../model/modes";
import { NetworkForm } from "./network-form";

export const StateLabel = ({ state }: { state: string }) => (
  <Label isCompact color={state === "active" ? "green" : "grey"}>
    {state === "active" ? _("active") : _("inactive")}
  </Label>
);

export function Networks() {
  const networks = usePolled(allNetworks, 5);
  const mayChange = useMayChange();
  const [creating, setCreating] = useState(false);
  const columns: Array<Column<NetworkDetails>> = [
    {
      title: _("Name"),
      cell: each => <a href={`#/networks/${encodeURIComponent(each.name)}`}>{each.name}</a>,
    },
    {
      title: _("Mode"),
      // Which of the direct modes it is, only the XML says.
      cell: each => (each.mode === "direct" ? _("Direct") : _(modeShown(each.mode).label)),
    },
    { title: _("State"), cell: each => <StateLabel state={each.state} /> },
    { title: _("Subnet"), cell: each => (each.addresses ?? []).join(", ") || "–" },
    { title: _("Uplinks"), cell: each => (each.uplinks ?? []).join(", ") || "–" },
    { title: _("Guests"), cell: each => each.ports },
    { title: _("Sessions"), cell: each => each.sessions ?? "–" },
    { title: _("Autostart"), cell: each => (each.autostart ? _("yes") : _("no")) },
    {
      title: _("Actions"),
      hidden: true,
      cell: each => <NetworkActions network={each} done={networks.refresh} />,
    },
  ];
  return (
    <>
      <div className="vnet-bar">
        <Button isDisabled={!mayChange} onClick={() => setCreating(true)}>
          {_("Create network")}
        </Button>
      </div>
      <Answer of={networks}>
        {data => (
          <>
            <DataTable
              label={_("Networks")}
              columns={columns}
              rows={data}
              rowKey={each => each.name}
              empty={_("There is no network yet.")}
            />
            {creating ? (
              <NetworkForm
                others={data}
                close={() => {
                  setCreating(false);
                  networks.refresh();
                }}
              />
            ) : null}
          </>
        )}
      </Answer>
    </>
  );
}

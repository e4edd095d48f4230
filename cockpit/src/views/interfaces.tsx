// SPDX-License-Identifier: GPL-2.0-or-later
// Every guest's card: where it is plugged in, and what its port lets through.
import { Button, Label, LabelGroup } from "@patternfly/react-core";
import { useState } from "react";

import { DataTable, type Column } from "../components/data-table";
import { Dialog } from "../components/dialog";
import { Kebab } from "../components/kebab";
import { Answer, Problem } from "../components/problem";
import { allPorts } from "../lib/facts";
import { go, useMayChange, usePolled } from "../lib/hooks";
import { _, format } from "../lib/i18n";
import type { Port, Rate } from "../lib/types";
import { change } from "../lib/vnet";
import { addressesOf } from "../model/addresses";
import { PortForm } from "./port-form";

type Open = { what: "add" | "edit" | "remove"; port?: Port };

export function Interfaces() {
  const facts = usePolled(allPorts, 3);
  const mayChange = useMayChange();
  const [open, setOpen] = useState<Open>();
  const [error, setError] = useState<Error>();
  const close = () => {
    setOpen(undefined);
    facts.refresh();
  };
  const plug = (port: Port) => {
    setError(undefined);
    change(["set", port.interface, "--link", port.state === "down" ? "up" : "down"]).then(
      facts.refresh,
      setError,
    );
  };
  const actions = (port: Port) => {
    if (port.state === "unattached")
      return (
        <Button
          variant="secondary"
          size="sm"
          isDisabled={!mayChange}
          onClick={() => setOpen({ what: "add", port })}
          aria-label={format(_("Add $0"), port.interface)}
        >
          {_("Add")}
        </Button>
      );
    const unplugged = port.state === "down";
    return (
      <div className="vnet-buttons">
        <Button
          variant="secondary"
          size="sm"
          isDisabled={!mayChange}
          onClick={() => plug(port)}
          aria-label={format(unplugged ? _("Plug $0") : _("Unplug $0"), port.interface)}
        >
          {unplugged ? _("Plug") : _("Unplug")}
        </Button>
        <Kebab
          label={format(_("Actions of $0"), port.interface)}
          items={[
            { title: _("Edit"), choose: () => setOpen({ what: "edit", port }) },
            { title: _("Explain a packet"), choose: () => go("explain", port.interface) },
            { title: _("Remove"), danger: true, choose: () => setOpen({ what: "remove", port }) },
          ]}
        />
      </div>
    );
  };
  const columns = (leases: Parameters<typeof addressesOf>[1]): Array<Column<Port>> => [
    { title: _("Guest"), cell: port => port.guest || "–" },
    { title: _("Interface"), cell: port => port.interface },
    { title: _("Type"), cell: port => port.type },
    { title: _("Model type"), cell: port => port.model || "–" },
    { title: _("MAC address"), cell: port => port.mac ?? "–" },
    { title: _("IP address"), cell: port => addressesOf(port, leases).join(", ") || "–" },
    { title: _("Source"), cell: port => <Source port={port} /> },
    { title: _("State"), cell: port => <PortState state={port.state} /> },
    { title: _("Settings"), cell: port => <Settings port={port} /> },
    { title: _("Actions"), hidden: true, cell: actions },
  ];
  return (
    <>
      <div className="vnet-bar">
        <Button isDisabled={!mayChange} onClick={() => setOpen({ what: "add" })}>
          {_("Add interface")}
        </Button>
      </div>
      <Problem error={error} />
      <Answer of={facts}>
        {({ networks, ports, leases }) => (
          <>
            <DataTable
              label={_("Interfaces")}
              columns={columns(leases)}
              rows={ports}
              rowKey={port => port.interface}
              empty={_("No interface is attached.")}
            />
            {open?.what === "add" || open?.what === "edit" ? (
              <PortForm
                port={open.what === "edit" ? open.port : undefined}
                name={open.port?.interface}
                networks={networks.filter(each => each.state === "active")}
                close={close}
              />
            ) : null}
          </>
        )}
      </Answer>
      {open?.what === "remove" ? (
        <Dialog
          title={format(_("Remove interface $0"), open.port!.interface)}
          action={_("Remove")}
          danger
          run={() => change(["detach", open.port!.interface])}
          close={close}
        >
          <p>{_("The guest loses this connection, and the interface its settings here.")}</p>
        </Dialog>
      ) : null}
    </>
  );
}

const Source = ({ port }: { port: Port }) => (
  <>
    {port.network ? <a href={`#/networks/${encodeURIComponent(port.network)}`}>{port.network}</a> : "–"}
    {port.source ? <span className="vnet-subtle"> {port.source}</span> : null}
  </>
);

const PortState = ({ state }: { state: string }) => (
  <Label isCompact color={state === "up" ? "green" : state === "down" ? "grey" : "orange"}>
    {state}
  </Label>
);

const rate = (direction: string, rate: Rate | null) => (rate ? [`${direction} ${rate.average} kB/s`] : []);

/** What differs from the defaults, one label each. */
function labelsOf(port: Port): string[] {
  return [
    ...port.filters,
    ...(port.inbound !== "accept" && port.inbound ? [format(_("inbound: $0"), port.inbound)] : []),
    ...port.allow.map(rule => format(_("allow $0"), rule)),
    ...(port.isolated ? [_("isolated")] : []),
    ...(port.vlan
      ? [`VLAN ${port.vlan.tags.join(", ")}${port.vlan.applied ? "" : ` (${_("not applied")})`}`]
      : []),
    ...rate(_("in"), port.bandwidth?.inbound ?? null),
    ...rate(_("out"), port.bandwidth?.outbound ?? null),
  ];
}

const Settings = ({ port }: { port: Port }) => {
  const labels = labelsOf(port);
  return labels.length ? (
    <LabelGroup numLabels={3} aria-label={_("Settings")}>
      {labels.map(label => (
        <Label key={label} isCompact variant="outline">
          {label}
        </Label>
      ))}
    </LabelGroup>
  ) : (
    "–"
  );
};

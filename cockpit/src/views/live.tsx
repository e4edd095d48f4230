// SPDX-License-Identifier: GPL-2.0-or-later
// Rates of guests and uplinks, drops by reason, and drops as they happen.
import { Title } from "@patternfly/react-core";
import { useEffect, useRef, useState } from "react";

import { Chart } from "../components/chart";
import { DataTable } from "../components/data-table";
import { Answer } from "../components/problem";
import { usePolled } from "../lib/hooks";
import { _, format } from "../lib/i18n";
import { meaningOf, remedyOf } from "../lib/reasons";
import type { Port, Stats } from "../lib/types";
import { look } from "../lib/vnet";
import {
  KEPT,
  bitRate,
  noHistory,
  withSample,
  type DropRate,
  type History,
  type PortRate,
} from "../model/rates";
import { Monitor } from "./monitor";

const SECONDS = 2;

export function Live() {
  const stats = usePolled(() => look<Stats>("stats"), SECONDS);
  const ports = usePolled(() => look<Port[]>("ports"), 10);
  const history = useHistory(stats.data);
  const guests = new Map((ports.data ?? []).map(port => [port.interface, port.guest]));
  return (
    <Answer of={stats}>
      {data => (
        <>
          <Title headingLevel="h2">{_("Rates")}</Title>
          <Rates
            history={history}
            guests={guests}
            names={data.ports.map(port => port.interface)}
            networks={new Map(data.ports.map(port => [port.interface, port.network ?? ""]))}
            uplinks={data.uplinks.map(uplink => uplink.interface)}
          />
          <Title headingLevel="h2" className="vnet-heading">
            {_("Drops by reason")}
          </Title>
          <Drops drops={history.drops} />
          <Monitor />
        </>
      )}
    </Answer>
  );
}

function useHistory(stats: Stats | undefined): History {
  const history = useRef(noHistory);
  const [, draw] = useState(0);
  useEffect(() => {
    if (!stats || stats === history.current.last) return;
    history.current = withSample(history.current, stats);
    draw(round => round + 1);
  }, [stats]);
  return history.current;
}

interface Line {
  name: string;
  owner: string;
  rates: PortRate[];
}

function Rates({
  history,
  guests,
  names,
  networks,
  uplinks,
}: {
  history: History;
  guests: Map<string, string>;
  names: string[];
  networks: Map<string, string>;
  uplinks: string[];
}) {
  const line = (name: string, owner: string): Line => ({ name, owner, rates: history.rates.get(name) ?? [] });
  const lines = [
    ...names.map(name => line(name, guests.get(name) || networks.get(name) || "")),
    ...uplinks.map(name => line(name, _("uplink"))),
  ];
  // One scale for each line's two charts, so that they can be compared.
  const top = (each: Line) => Math.max(1, ...each.rates.flatMap(rate => [rate.received, rate.sent]));
  const cell = (each: Line, direction: keyof PortRate) => (
    <>
      <span className="vnet-rate">{bitRate(each.rates.at(-1)?.[direction] ?? 0)}</span>
      <Chart values={each.rates.map(rate => rate[direction])} kept={KEPT} top={top(each)} />
    </>
  );
  return (
    <DataTable
      label={_("Rates")}
      rows={lines}
      rowKey={each => each.name}
      empty={_("No interface is attached.")}
      columns={[
        { title: _("Interface"), cell: each => each.name },
        { title: _("Guest or role"), cell: each => each.owner || "–" },
        { title: _("Received"), cell: each => cell(each, "received") },
        { title: _("Sent"), cell: each => cell(each, "sent") },
      ]}
    />
  );
}

const Drops = ({ drops }: { drops: DropRate[] }) => (
  <DataTable
    label={_("Drops by reason")}
    rows={drops}
    rowKey={each => `${each.kind} ${each.where} ${each.reason}`}
    empty={_("Nothing has been dropped.")}
    columns={[
      { title: _("Reason"), cell: each => <strong>{each.reason}</strong> },
      { title: _("Where"), cell: each => each.where },
      { title: _("Packets"), cell: each => each.packets.toLocaleString() },
      {
        title: _("Now"),
        cell: each => (each.perSecond ? format(_("$0 a second"), each.perSecond.toFixed(1)) : "–"),
      },
      { title: _("Meaning"), cell: each => meaningOf(each.reason) },
      { title: _("What to do"), cell: each => remedyOf(each.reason) },
    ]}
  />
);

// SPDX-License-Identifier: GPL-2.0-or-later
// Sessions, the fastest first. Where there are many, one guest's or one address's are asked for.
import { useState } from "react";

import { DataTable } from "../components/data-table";
import { Choice, Text } from "../components/inputs";
import { Answer } from "../components/problem";
import { usePolled } from "../lib/hooks";
import { _, format } from "../lib/i18n";
import type { Endpoint, Flow } from "../lib/types";
import { look } from "../lib/vnet";
import { endpointText } from "../model/addresses";
import { bitRate } from "../model/rates";

const SHOWN = 200;
// More than so many sessions are not asked for at once: that would be megabytes.
const MANY = 20000;

interface Usage {
  networks: Array<{ network: string; sessions: number }>;
  ports: Array<{ interface: string; network: string; sessions: number }>;
}

interface Asked {
  port: string;
  address: string;
  proto: string;
}

interface Result {
  usage: Usage;
  total: number;
  flows?: Flow[]; // undefined: too many
}

async function ask({ port, address, proto }: Asked): Promise<Result> {
  const usage = await look<Usage>("flows", "--usage");
  const total = usage.networks.reduce((sum, each) => sum + each.sessions, 0);
  if (total > MANY && !address && !port) return { usage, total };
  const flows = await look<Flow[]>(
    "flows",
    ...(port ? ["--port", port] : []),
    ...(address ? ["--address", address] : []),
    ...(proto ? ["--proto", proto] : []),
  );
  flows.sort((a, b) => b.bits_per_second - a.bits_per_second);
  return { usage, total, flows };
}

export function Flows() {
  const [asked, setAsked] = useState<Asked>({ port: "", address: "", proto: "" });
  const [address, setAddress] = useState("");
  const result = usePolled(() => ask(asked), 3, [asked]);
  const ports = result.data?.usage.ports ?? [];
  return (
    <>
      <form
        className="vnet-bar"
        onSubmit={event => {
          event.preventDefault();
          setAsked({ ...asked, address: address.trim() });
        }}
      >
        <Choice
          id="flows-port"
          label={_("Interface")}
          value={asked.port}
          change={port => setAsked({ ...asked, port })}
          choices={[
            ["", _("All")],
            ...ports.map(each => [each.interface, each.interface] as [string, string]),
          ]}
        />
        <Choice
          id="flows-proto"
          label={_("Protocol")}
          value={asked.proto}
          change={proto => setAsked({ ...asked, proto })}
          choices={[
            ["", _("All")],
            ...["tcp", "udp", "icmp", "sctp"].map(each => [each, each] as [string, string]),
          ]}
        />
        <Text id="flows-address" label={_("Address or prefix")} value={address} change={setAddress} />
        <button type="submit" className="pf-v6-c-button pf-m-secondary">
          {_("Show")}
        </button>
      </form>
      <Answer of={result}>
        {({ flows, total }) =>
          flows ? (
            <>
              <DataTable
                label={_("Flows")}
                rows={flows.slice(0, SHOWN)}
                rowKey={flowKey}
                empty={_("There is no session.")}
                columns={columns()}
              />
              <p className="vnet-subtle">
                {flows.length > SHOWN
                  ? format(_("The fastest $0 of $1 sessions."), SHOWN, flows.length)
                  : format(_("$0 sessions in all."), total)}
              </p>
            </>
          ) : (
            <p>{format(_("There are $0 sessions: choose an interface or an address."), total)}</p>
          )
        }
      </Answer>
    </>
  );
}

const flowKey = (flow: Flow) =>
  [
    flow.network,
    flow.protocol,
    flow.inside.address,
    flow.inside.port,
    flow.outside.address,
    flow.outside.port,
    flow.translated?.port,
    flow.state,
  ].join(" ");

const end = (at: Endpoint | null) => (at ? endpointText(at.address, at.port) : "–");

const columns = () => [
  { title: _("Interface"), cell: (flow: Flow) => flow.interface || flow.network },
  { title: _("Protocol"), cell: (flow: Flow) => flow.protocol },
  { title: _("State"), cell: (flow: Flow) => flow.state },
  { title: _("Inside"), cell: (flow: Flow) => end(flow.inside) },
  { title: _("Direction"), cell: (flow: Flow) => (flow.inbound ? _("from outside") : _("to outside")) },
  { title: _("Outside"), cell: (flow: Flow) => end(flow.outside) },
  { title: _("Translated as"), cell: (flow: Flow) => end(flow.translated) },
  { title: _("Age"), cell: (flow: Flow) => format(_("$0 s"), flow.age) },
  { title: _("Rate"), cell: (flow: Flow) => bitRate(flow.bits_per_second) },
  {
    title: _("Sent, received"),
    cell: (flow: Flow) => `${flow.out_bytes.toLocaleString()} / ${flow.in_bytes.toLocaleString()}`,
  },
];

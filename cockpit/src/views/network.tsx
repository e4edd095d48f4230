// SPDX-License-Identifier: GPL-2.0-or-later
// One network: its facts, drawing, guests, leases and XML.
import {
  Breadcrumb,
  BreadcrumbItem,
  Button,
  DescriptionList,
  DescriptionListDescription,
  DescriptionListGroup,
  DescriptionListTerm,
  ExpandableSection,
  Flex,
  FlexItem,
  Title,
} from "@patternfly/react-core";
import { useState } from "react";

import { DataTable } from "../components/data-table";
import { ModeDrawing } from "../components/mode-drawing";
import { NetworkActions } from "../components/network-actions";
import { Answer } from "../components/problem";
import { useMayChange, usePolled } from "../lib/hooks";
import { _, format } from "../lib/i18n";
import type { Lease, NetworkDetails, Port } from "../lib/types";
import { look, text } from "../lib/vnet";
import { addressesOf } from "../model/addresses";
import { modes, modeShown } from "../model/modes";
import { readAll } from "../model/network-fields";
import { parse } from "../model/xml";
import { NetworkForm } from "./network-form";
import { StateLabel } from "./networks";

interface All {
  details: NetworkDetails;
  ports: Port[];
  leases: Lease[];
  xml: string;
  stored: string;
}

async function everything(name: string): Promise<All> {
  const details = await look<NetworkDetails>("show", name);
  const active = details.state === "active";
  const xml = await text("show", name, "--xml");
  return {
    details,
    xml,
    ports: active ? await look<Port[]>("ports", "--network", name) : [],
    leases: active && details.dnsmasq ? await look<Lease[]>("leases", name) : [],
    // A running network may have no definition stored.
    stored: active ? await text("show", name, "--xml", "--inactive").catch(() => xml) : xml,
  };
}

function facts(details: NetworkDetails): Array<[term: string, value: string]> {
  const rows: Array<[string, string | null | undefined]> = [
    [_("Gateway"), details.gateway],
    [_("Addresses"), [...(details.addresses ?? []), ...(details.added_addresses ?? [])].join(", ")],
    [_("MAC address"), details.mac],
    [_("Uplinks"), details.uplinks?.join(", ")],
    [_("Others' route"), details.routes?.join(", ")],
    [_("MTU"), details.mtu ? String(details.mtu) : ""],
    [_("DNS domain"), details.domain],
    [
      _("DHCP and DNS"),
      details.state === "active" ? (details.dnsmasq ? _("running") : _("not running")) : "",
    ],
    [_("Host firewall"), details.host_firewall],
    [_("Port forwards"), details.port_forwards?.join(", ")],
    [
      _("Sessions"),
      details.state === "active" && details.max_sessions
        ? format(_("$0 of at most $1"), details.sessions ?? 0, details.max_sessions)
        : "",
    ],
    [_("Autostart"), details.autostart ? _("yes") : _("no")],
    [_("UUID"), details.uuid],
  ];
  return rows.flatMap(([term, value]) => (value ? [[term, value] as [string, string]] : []));
}

/** The mode with direct attachment's own one, which only the XML says. */
function modeOf({ details, xml }: All) {
  const name = readAll(parse(xml)).mode;
  return modes.find(mode => mode.name === name) ?? modeShown(details.mode);
}

export function NetworkPage({ name }: { name: string }) {
  const all = usePolled(() => everything(name), 3, [name]);
  const mayChange = useMayChange();
  const [edited, setEdited] = useState<All>();
  return (
    <>
      <Breadcrumb aria-label={_("Place")}>
        <BreadcrumbItem to="#/networks">{_("Networks")}</BreadcrumbItem>
        <BreadcrumbItem isActive>{name}</BreadcrumbItem>
      </Breadcrumb>
      <Answer of={all}>
        {data => (
          <>
            <Flex alignItems={{ default: "alignItemsCenter" }} className="vnet-heading">
              <FlexItem>
                <Title headingLevel="h2">{name}</Title>
              </FlexItem>
              <FlexItem>
                <StateLabel state={data.details.state} />
              </FlexItem>
              <FlexItem align={{ default: "alignRight" }}>
                <Button variant="secondary" isDisabled={!mayChange} onClick={() => setEdited(data)}>
                  {_("Edit")}
                </Button>
              </FlexItem>
              <FlexItem>
                <NetworkActions network={data.details} done={all.refresh} />
              </FlexItem>
            </Flex>
            <div className="vnet-two">
              <DescriptionList isHorizontal isCompact>
                <Fact term={_("Mode")} value={_(modeOf(data).label)} />
                {facts(data.details).map(([term, value]) => (
                  <Fact key={term} term={term} value={value} />
                ))}
              </DescriptionList>
              <ModeDrawing
                mode={modeOf(data)}
                gateway={data.details.gateway}
                address={data.details.addresses?.[0]}
                uplink={data.details.uplinks?.join(", ")}
              />
            </div>
            <Title headingLevel="h3" className="vnet-heading">
              {_("Guests")}
            </Title>
            <Guests ports={data.ports} leases={data.leases} />
            <Title headingLevel="h3" className="vnet-heading">
              {_("Leases")}
            </Title>
            <Leases leases={data.leases} />
            <ExpandableSection toggleText={_("XML")} className="vnet-heading">
              <pre className="vnet-xml" tabIndex={0} aria-label={_("XML")}>
                {data.xml}
              </pre>
            </ExpandableSection>
          </>
        )}
      </Answer>
      {edited ? (
        <NetworkForm
          network={edited.details}
          xml={edited.stored}
          others={[]}
          close={() => {
            setEdited(undefined);
            all.refresh();
          }}
        />
      ) : null}
    </>
  );
}

const Fact = ({ term, value }: { term: string; value: string }) => (
  <DescriptionListGroup>
    <DescriptionListTerm>{term}</DescriptionListTerm>
    <DescriptionListDescription>{value}</DescriptionListDescription>
  </DescriptionListGroup>
);

const Guests = ({ ports, leases }: { ports: Port[]; leases: Lease[] }) => (
  <DataTable
    label={_("Guests")}
    rows={ports}
    rowKey={port => port.interface}
    empty={_("No guest is attached.")}
    columns={[
      { title: _("Guest"), cell: port => port.guest || "–" },
      { title: _("Interface"), cell: port => port.interface },
      { title: _("MAC address"), cell: port => port.mac ?? "–" },
      { title: _("IP address"), cell: port => addressesOf(port, leases).join(", ") || "–" },
      { title: _("State"), cell: port => port.state },
    ]}
  />
);

// Host names are the guests' own words: text, and nothing else.
const Leases = ({ leases }: { leases: Lease[] }) => (
  <DataTable
    label={_("Leases")}
    rows={leases}
    rowKey={lease => `${lease.ip} ${lease.mac ?? ""}`}
    empty={_("There are no leases.")}
    columns={[
      { title: _("IP address"), cell: lease => `${lease.ip}/${lease.prefix}` },
      { title: _("MAC address"), cell: lease => lease.mac ?? "–" },
      { title: _("Host name"), cell: lease => lease.hostname || "–" },
      {
        title: _("Ends"),
        cell: lease => (lease.expiry ? new Date(lease.expiry * 1000).toLocaleString() : _("never")),
      },
    ]}
  />
);

// SPDX-License-Identifier: GPL-2.0-or-later
// Adding or editing an interface: what differs becomes the options of attach or set.
import { Checkbox, FormGroup } from "@patternfly/react-core";
import { useState } from "react";

import { Dialog } from "../components/dialog";
import { Choice, OnOff, Text } from "../components/inputs";
import { _, format } from "../lib/i18n";
import type { Network, Port } from "../lib/types";
import { change, look } from "../lib/vnet";
import {
  attachCommand,
  changedOnto,
  editCommands,
  emptySettings,
  filters,
  inbounds,
  settingsOf,
  type PortSettings,
} from "../model/port-options";

/** One after the other. If the guest cannot be plugged in where it goes, it goes back to where it was. */
async function runAll(port: Port, commands: string[][]): Promise<void> {
  const [first, ...rest] = commands;
  if (!first) return;
  await change(first);
  try {
    for (const command of rest) await change(command);
  } catch (error) {
    if (rest.length) await change(attachCommand(port.interface, settingsOf(port)));
    throw error;
  }
}

/** What differs from `opened`, which the form was opened with; the port is asked for again first. */
async function save(opened: Port, to: PortSettings): Promise<void> {
  const now = (await look<Port[]>("ports")).find(each => each.interface === opened.interface) ?? opened;
  await runAll(now, editCommands(now, changedOnto(settingsOf(now), settingsOf(opened), to)));
}

/** Without `port` a new one. */
export function PortForm({
  port,
  name: given,
  networks,
  close,
}: {
  port?: Port;
  name?: string;
  networks: Network[];
  close: () => void;
}) {
  const [name, setName] = useState(given ?? "");
  const [settings, setSettings] = useState<PortSettings>(() =>
    port ? settingsOf(port) : { ...emptySettings, network: networks[0]?.name ?? "" },
  );
  const set = (part: Partial<PortSettings>) => setSettings({ ...settings, ...part });
  const run = () => (port ? save(port, settings) : change(attachCommand(name, settings)));
  const moves = port && port.network !== settings.network;
  return (
    <Dialog
      wide
      close={close}
      run={run}
      action={port ? _("Save") : _("Add")}
      disabled={!name && !port}
      title={port ? format(_("Edit interface $0"), port.interface) : _("Add interface")}
    >
      <div className="vnet-two">
        <div className="vnet-fields">
          {port ? null : (
            <Text
              id="port-name"
              label={_("Interface")}
              required
              value={name}
              change={setName}
              disabled={Boolean(given)}
              help={_("The guest's tap or veth on this host, like vnet0")}
            />
          )}
          <Choice
            id="port-network"
            label={_("Network")}
            required
            value={settings.network}
            change={network => set({ network })}
            choices={networks.map(each => [each.name, each.name])}
            help={moves ? _("The interface is moved: its connections are lost.") : undefined}
          />
          <Text id="port-guest" label={_("Guest")} value={settings.guest} change={guest => set({ guest })} />
          <Text
            id="port-model"
            label={_("Model type")}
            value={settings.model}
            change={model => set({ model })}
            suggestions={["virtio", "e1000e", "e1000", "rtl8139"]}
          />
          <Text
            id="port-mac"
            label={_("MAC address")}
            value={settings.mac}
            change={mac => set({ mac })}
            help={_("The only one the guest may send from; “any” allows all; empty: they are learned")}
          />
          <Text
            id="port-ips"
            label={_("IP addresses")}
            value={settings.ips}
            change={ips => set({ ips })}
            help={_("The only ones that filters allow, separated by spaces; empty: what DHCP leases")}
          />
          <Bandwidth settings={settings} set={set} />
        </div>
        <div className="vnet-fields">
          <FormGroup role="group" label={_("Filters")} fieldId="port-filters">
            {filters.map(([filter, label]) => (
              <Checkbox
                key={filter}
                id={`port-filter-${filter}`}
                label={_(label)}
                isChecked={settings.filters.includes(filter)}
                onChange={(_event, on) =>
                  set({
                    filters: on
                      ? [...settings.filters, filter]
                      : settings.filters.filter(each => each !== filter),
                  })
                }
              />
            ))}
          </FormGroup>
          <Choice
            id="port-inbound"
            label={_("Inbound: what may reach the guest")}
            value={settings.inbound}
            change={inbound => set({ inbound })}
            choices={[
              ...(port ? [] : [["", _("As the network says")] as [string, string]]),
              ...inbounds.map(([word, label]) => [word, _(label)] as [string, string]),
            ]}
          />
          <Text
            id="port-allow"
            label={_("Let in all the same")}
            value={settings.allow}
            change={allow => set({ allow })}
            help={_("Rules separated by spaces, like tcp/22@192.0.2.0/24 tcp/443")}
          />
          <OnOff
            id="port-isolated"
            label={_("Isolated from other isolated interfaces")}
            value={settings.isolated}
            change={isolated => set({ isolated })}
          />
          <VlanFields settings={settings} set={set} />
        </div>
      </div>
    </Dialog>
  );
}

interface Part {
  settings: PortSettings;
  set: (part: Partial<PortSettings>) => void;
}

const Bandwidth = ({ settings, set }: Part) => (
  <>
    <Text
      id="port-bandwidth-in"
      label={_("Bandwidth: received at most")}
      value={settings.bandwidthIn}
      change={bandwidthIn => set({ bandwidthIn })}
      help={_("AVERAGE,PEAK,BURST in kB/s, kB/s and KiB; the average alone is enough")}
    />
    <Text
      id="port-bandwidth-out"
      label={_("Bandwidth: sent at most")}
      value={settings.bandwidthOut}
      change={bandwidthOut => set({ bandwidthOut })}
    />
  </>
);

const VlanFields = ({ settings, set }: Part) => (
  <>
    <Text
      id="port-vlan"
      label={settings.trunk ? _("VLANs of the trunk") : _("VLAN")}
      value={settings.vlan}
      change={vlan => set({ vlan })}
      help={
        settings.trunk
          ? _("Tags separated by commas: 10,20")
          : _("A tag that the guest does not see; empty: the network's")
      }
    />
    <OnOff
      id="port-trunk"
      label={_("VLAN trunk: the guest tags its frames")}
      value={settings.trunk}
      change={trunk => set({ trunk })}
    />
    {settings.trunk ? (
      <Text
        id="port-native"
        label={_("Native VLAN")}
        value={settings.native}
        change={native => set({ native })}
        help={_("That of frames without a tag")}
      />
    ) : null}
  </>
);

// SPDX-License-Identifier: GPL-2.0-or-later
// A network as a form beside its XML: the XML is what is edited, the form changes its parts.
import { FormGroup, TextArea } from "@patternfly/react-core";
import { useEffect, useState } from "react";

import { Dialog } from "../components/dialog";
import { Choice, OnOff, Text } from "../components/inputs";
import { ModeDrawing } from "../components/mode-drawing";
import { Problem } from "../components/problem";
import { _, format } from "../lib/i18n";
import type { NetworkDetails } from "../lib/types";
import { change, check } from "../lib/vnet";
import { modes } from "../model/modes";
import { fields, hasMeaning, newNetwork, readAll, withField, type Field } from "../model/network-fields";
import { parse } from "../model/xml";

function readOrError(xml: string): { values: Record<string, string>; error?: Error } {
  try {
    return { values: readAll(parse(xml)) };
  } catch (error) {
    return { values: {}, error: error as Error };
  }
}

/** What the program says about the XML, a moment after the last change. */
function useVerdict(xml: string): Error | undefined {
  const [error, setError] = useState<Error>();
  useEffect(() => {
    let ended = false;
    const timer = window.setTimeout(() => {
      check(["define", "-"], xml).then(
        () => ended || setError(undefined),
        wrong => ended || setError(wrong),
      );
    }, 700);
    return () => {
      ended = true;
      window.clearTimeout(timer);
    };
  }, [xml]);
  return error;
}

/** Without `network` a new one. */
export function NetworkForm({
  network,
  xml: given,
  others,
  close,
}: {
  network?: NetworkDetails;
  xml?: string;
  others: NetworkDetails[];
  close: () => void;
}) {
  const [xml, setXml] = useState(
    () =>
      given ??
      newNetwork({
        names: others.map(each => each.name),
        bridges: others.map(each => each.gateway ?? ""),
        subnets: others.flatMap(each => each.addresses ?? []),
      }),
  );
  const [start, setStart] = useState(true);
  const [autostart, setAutostart] = useState(false);
  const { values, error } = readOrError(xml);
  const verdict = useVerdict(xml);
  const mode = modes.find(each => each.name === values.mode);

  const run = async () => {
    if (network)
      return change(network.state === "active" ? ["apply", network.name, "-"] : ["define", "-"], xml);
    await change([start ? "up" : "define", "-"], xml);
    if (autostart) await change(["autostart", values.name]);
  };

  const input = (field: Field) => {
    const common = {
      id: `network-${field.name}`,
      label: _(field.label),
      help: field.help && _(field.help),
      disabled: Boolean(error) || (Boolean(network) && field.name === "name"),
    };
    const set = (value: string) => setXml(withField(xml, field.name, value));
    const value = values[field.name] ?? "";
    if (field.kind === "switch")
      return (
        <OnOff key={field.name} {...common} value={value === "yes"} change={on => set(on ? "yes" : "")} />
      );
    if (field.kind === "choice")
      return (
        <Choice
          key={field.name}
          {...common}
          value={value}
          change={set}
          choices={field.choices!.map(([name, label]) => [name, _(label)])}
        />
      );
    return <Draft key={field.name} {...common} value={value} set={set} />;
  };

  return (
    <Dialog
      wide
      close={close}
      run={run}
      disabled={Boolean(error)}
      action={network ? _("Apply") : _("Create")}
      title={network ? format(_("Edit network $0"), network.name) : _("Create network")}
    >
      <div className="vnet-two">
        <div className="vnet-fields">
          {fields.filter(field => hasMeaning(field, values.mode)).map(input)}
          {network ? null : (
            <>
              <OnOff id="network-start" label={_("Start it now")} value={start} change={setStart} />
              <OnOff
                id="network-autostart"
                label={_("Start it whenever the host boots")}
                value={autostart}
                change={setAutostart}
              />
            </>
          )}
        </div>
        <div>
          {mode ? <ModeDrawing mode={mode} /> : null}
          <FormGroup label={_("XML")} fieldId="network-xml">
            <TextArea
              id="network-xml"
              className="vnet-source"
              value={xml}
              rows={18}
              resizeOrientation="vertical"
              spellCheck={false}
              onChange={(_event, text) => setXml(text)}
            />
          </FormGroup>
          <Problem error={error ?? verdict} />
        </div>
      </div>
    </Dialog>
  );
}

// What is typed stays as it is: the XML has it in a form of its own, but "192.168.1.1/" is not finished yet.
function Draft({
  value,
  set,
  ...common
}: {
  id: string;
  label: string;
  help?: string;
  disabled?: boolean;
  value: string;
  set: (value: string) => void;
}) {
  const [typed, setTyped] = useState({ text: value, value });
  const text = typed.value === value ? typed.text : value;
  return (
    <Text
      {...common}
      value={text}
      change={next => {
        set(next.trim());
        setTyped({ text: next, value: next.trim() });
      }}
    />
  );
}

// SPDX-License-Identifier: GPL-2.0-or-later
// What would happen to a packet: a form, and the answer hop by hop.
import { Alert, Button, Form, ProgressStep, ProgressStepper, Title } from "@patternfly/react-core";
import { useState } from "react";

import { Choice, Text } from "../components/inputs";
import { Answer, Problem } from "../components/problem";
import { usePolled } from "../lib/hooks";
import { N_, _, format } from "../lib/i18n";
import { remedyOf } from "../lib/reasons";
import type { Explanation, Network, Stats, Step } from "../lib/types";
import { look } from "../lib/vnet";

interface Question {
  port: string;
  from: string;
  to: string;
  proto: string;
}

/** Where a packet may come in: guests' ports, uplinks, gateways. */
async function places(): Promise<Array<[name: string, label: string]>> {
  const [stats, networks] = await Promise.all([look<Stats>("stats"), look<Network[]>("list")]);
  return [
    ...stats.ports.map(each => [each.interface, format(_("$0: from the guest"), each.interface)]),
    ...stats.uplinks.map(each => [each.interface, format(_("$0: from outside"), each.interface)]),
    ...networks.flatMap(each =>
      each.gateway ? [[each.gateway, format(_("$0: from the host itself"), each.gateway)]] : [],
    ),
  ].filter(([name], at, all) => all.findIndex(each => each[0] === name) === at) as Array<[string, string]>;
}

export function Explain({ port = "" }: { port?: string }) {
  const known = usePolled(places, 10);
  const [question, setQuestion] = useState<Question>({ port, from: "", to: "", proto: "tcp" });
  const [answer, setAnswer] = useState<Explanation>();
  const [error, setError] = useState<Error>();
  const [busy, setBusy] = useState(false);
  const set = (part: Partial<Question>) => setQuestion({ ...question, ...part });
  const ask = async (at: string) => {
    const from = question.from.trim();
    const words = ["--port", at, "--to", question.to.trim(), "--proto", question.proto];
    setBusy(true);
    setError(undefined);
    setAnswer(undefined);
    await look<Explanation>("explain", ...words, ...(from ? ["--from", from] : [])).then(setAnswer, setError);
    setBusy(false);
  };
  return (
    <Answer of={known}>
      {choices => {
        const at = question.port || choices[0]?.[0] || "";
        return (
          <div className="vnet-two">
            <Form
              onSubmit={event => {
                event.preventDefault();
                void ask(at);
              }}
            >
              <Choice
                id="explain-port"
                label={_("The packet comes in at")}
                value={at}
                choices={choices}
                change={port => set({ port })}
              />
              <Choice
                id="explain-proto"
                label={_("Protocol")}
                value={question.proto}
                change={proto => set({ proto })}
                choices={[
                  ["tcp", _("TCP: a new connection")],
                  ["udp", _("UDP")],
                  ["icmp", _("ICMP: a ping")],
                ]}
              />
              <Text
                id="explain-from"
                label={_("From")}
                value={question.from}
                change={from => set({ from })}
                help={_("ADDRESS or ADDRESS:PORT; needed for what comes from outside")}
              />
              <Text
                id="explain-to"
                label={_("To")}
                required
                value={question.to}
                change={to => set({ to })}
                help={_("ADDRESS:PORT, for a ping ADDRESS")}
              />
              <div>
                <Button type="submit" isLoading={busy} isDisabled={busy || !at || !question.to.trim()}>
                  {_("Explain")}
                </Button>
              </div>
            </Form>
            <div aria-live="polite">
              <Problem error={error} />
              {answer ? (
                <Told answer={answer} />
              ) : (
                <p className="vnet-subtle">
                  {_("The loaded programs are run on such a packet. Nothing is sent, and nothing changes.")}
                </p>
              )}
            </div>
          </div>
        );
      }}
    </Answer>
  );
}

const fates: Record<string, string> = {
  guest: N_("It reaches the guest at $0."),
  host: N_("It reaches the host itself, at $0."),
  outside: N_("It leaves by $0."),
  dropped: N_("It is dropped at $0."),
  refused: N_("It is refused at $0, and the sender told."),
  flooded: N_("It goes to every port of $0."),
  nowhere: N_("It goes nowhere from $0."),
};

const bad = (word: string) => word === "dropped" || word === "refused" || word === "nowhere";

function Told({ answer }: { answer: Explanation }) {
  const lost = bad(answer.fate);
  const fate =
    format(_(fates[answer.fate] ?? answer.fate), answer.interface) +
    (answer.reaches.length ? ` ${format(_("It reaches $0."), answer.reaches.join(", "))}` : "");
  return (
    <>
      <Title headingLevel="h2" size="md">
        <code>{answer.packet.text}</code>
      </Title>
      <ProgressStepper isVertical aria-label={_("The packet's way")} className="vnet-way-down">
        {answer.steps.map((step, n) => (
          <Hop key={n} step={step} number={n} />
        ))}
      </ProgressStepper>
      <Alert isInline component="p" variant={lost ? "danger" : "success"} title={fate}>
        {lost && answer.reason ? (
          <>
            <p>
              <strong>{answer.reason}</strong>: {answer.meaning}
            </p>
            {answer.cause ? <p>{format(_("Because of: $0"), answer.cause)}</p> : null}
            <p>{remedyOf(answer.reason)}</p>
          </>
        ) : (
          <code>{answer.arrives.text}</code>
        )}
      </Alert>
      {answer.notes.map(note => (
        <Alert key={note} isInline variant="info" component="p" title={note} />
      ))}
    </>
  );
}

const Hop = ({ step, number }: { step: Step; number: number }) => (
  <ProgressStep
    id={`hop-${number}`}
    titleId={`hop-${number}-title`}
    variant={bad(step.verdict) ? "danger" : "success"}
    aria-label={`${step.where} ${step.interface}: ${step.verdict}`}
    description={step.details.map((detail, n) => (
      <span key={n} className="vnet-detail">
        {detail}
      </span>
    ))}
  >
    {step.where} <code>{step.interface}</code>: {step.verdict}
  </ProgressStep>
);

// SPDX-License-Identifier: GPL-2.0-or-later
// What on this host is missing or in the way, each with the command that mends it.
import { Alert, Button, ExpandableSection, Label, Title } from "@patternfly/react-core";

import { Command } from "../components/copy";
import { DataTable } from "../components/data-table";
import { Answer } from "../components/problem";
import { usePolled } from "../lib/hooks";
import { _, ngettext } from "../lib/i18n";
import type { Findings } from "../lib/types";
import { look } from "../lib/vnet";

const color = (state: string) => (state === "ok" ? "green" : state === "note" ? "blue" : "red");

export function Doctor() {
  // Its checks cost more than other questions: once a minute, and when asked.
  const findings = usePolled(() => look<Findings>("doctor"), 60);
  return (
    <>
      <div className="vnet-bar">
        <Button variant="secondary" onClick={findings.refresh}>
          {_("Check again")}
        </Button>
      </div>
      <Answer of={findings}>
        {data => (
          <>
            <Title headingLevel="h2">
              {data.findings.length
                ? ngettext("$0 finding", "$0 findings", data.findings.length)
                : _("Nothing is missing or in the way.")}
            </Title>
            {data.findings.map((finding, n) => (
              <Alert
                key={n}
                isInline
                className="vnet-problem"
                component="h3"
                title={finding.what}
                variant={finding.severity === "problem" ? "danger" : "info"}
              >
                <p>{finding.why}</p>
                {finding.fix ? <Command text={finding.fix} /> : null}
              </Alert>
            ))}
            <ExpandableSection
              className="vnet-heading"
              toggleText={ngettext("$0 check", "$0 checks", data.checks.length)}
            >
              <DataTable
                label={_("Checks")}
                rows={data.checks}
                rowKey={each => each.check}
                empty=""
                columns={[
                  { title: _("Check"), cell: each => each.check },
                  { title: _("Question"), cell: each => each.question },
                  {
                    title: _("State"),
                    cell: each => (
                      <Label isCompact color={color(each.state)}>
                        {each.state}
                      </Label>
                    ),
                  },
                ]}
              />
            </ExpandableSection>
          </>
        )}
      </Answer>
    </>
  );
}

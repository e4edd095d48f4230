// SPDX-License-Identifier: GPL-2.0-or-later
// Drops as they happen: `monitor`'s stream, for as long as it is switched on.
import { Button, Title } from "@patternfly/react-core";
import { useEffect, useState } from "react";

import { DataTable } from "../components/data-table";
import { Problem } from "../components/problem";
import { _, format } from "../lib/i18n";
import { meaningOf } from "../lib/reasons";
import type { Drop } from "../lib/types";
import { follow } from "../lib/vnet";
import { endpointText } from "../model/addresses";

const SHOWN = 30;

type Seen = Drop & { number: number };

export function Monitor() {
  const [on, setOn] = useState(false);
  const [seen, setSeen] = useState<Seen[]>([]);
  const [hidden, setHidden] = useState(0);
  const [error, setError] = useState<Error>();
  useEffect(() => {
    if (!on) return;
    let number = 0;
    setSeen([]);
    setHidden(0);
    setError(undefined);
    return follow<Drop>(
      ["monitor", "--rate", "20"],
      drop => {
        if (drop.not_shown) setHidden(count => count + drop.not_shown!);
        else setSeen(last => [{ ...drop, number: number++ }, ...last].slice(0, SHOWN));
      },
      problem => {
        setError(problem);
        setOn(false);
      },
    );
  }, [on]);
  return (
    <>
      <div className="vnet-bar vnet-heading">
        <Title headingLevel="h2">{_("Drops as they happen")}</Title>
        <Button variant="secondary" onClick={() => setOn(!on)}>
          {on ? _("Stop watching") : _("Watch")}
        </Button>
      </div>
      <Problem error={error} />
      {on || seen.length ? (
        <DataTable
          label={_("Drops as they happen")}
          rows={seen}
          rowKey={drop => String(drop.number)}
          empty={_("Waiting for a drop.")}
          columns={[
            { title: _("Time"), cell: drop => new Date(drop.time * 1000).toLocaleTimeString() },
            { title: _("Reason"), cell: drop => <span title={meaningOf(drop.reason)}>{drop.reason}</span> },
            { title: _("Hook"), cell: drop => `${drop.hook} ${drop.interface}` },
            {
              title: _("Network, interface"),
              cell: drop => [drop.network, drop.port].filter(Boolean).join(", ") || "–",
            },
            { title: _("Packet"), cell: packetText },
          ]}
        />
      ) : null}
      {hidden ? <p className="vnet-subtle">{format(_("$0 more were not shown."), hidden)}</p> : null}
    </>
  );
}

const packetText = (drop: Drop): string => {
  const ends = [drop.source, drop.destination].flatMap(end =>
    end ? [endpointText(end.address, end.port)] : [],
  );
  return (
    `${drop.protocol} ${ends.join(" > ")}, ${format(_("$0 bytes"), drop.length)}` +
    (drop.kernel_reason ? ` (${drop.kernel_reason})` : "")
  );
};

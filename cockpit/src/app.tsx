// SPDX-License-Identifier: GPL-2.0-or-later
// The page: one tab for each view, and its place in the address.
import { Tab, TabTitleText, Tabs } from "@patternfly/react-core";
import type { ReactElement } from "react";

import { MayChange, go, useLocation, usePermission } from "./lib/hooks";
import { N_, _ } from "./lib/i18n";
import { Doctor } from "./views/doctor";
import { Explain } from "./views/explain";
import { Flows } from "./views/flows";
import { Forwards } from "./views/forwards";
import { Interfaces } from "./views/interfaces";
import { Live } from "./views/live";
import { NetworkPage } from "./views/network";
import { Networks } from "./views/networks";

const views: Array<{ name: string; title: string; show: (rest: string[]) => ReactElement }> = [
  {
    name: "networks",
    title: N_("Networks"),
    show: ([name]) => (name ? <NetworkPage key={name} name={name} /> : <Networks />),
  },
  { name: "interfaces", title: N_("Interfaces"), show: () => <Interfaces /> },
  { name: "live", title: N_("Traffic"), show: () => <Live /> },
  { name: "flows", title: N_("Flows"), show: () => <Flows /> },
  { name: "explain", title: N_("Explain"), show: rest => <Explain port={rest[0]} /> },
  { name: "forwards", title: N_("Port forwards"), show: () => <Forwards /> },
  { name: "doctor", title: N_("Doctor"), show: () => <Doctor /> },
];

export function App() {
  const [first, ...rest] = useLocation();
  const mayChange = usePermission();
  const view = views.find(each => each.name === first) ?? views[0];
  if (mayChange === undefined) return null;
  return (
    <MayChange.Provider value={mayChange}>
      <main className="vnet-page" data-view={view.name}>
        <h1 className="pf-v6-screen-reader">{_("Virtual networks")}</h1>
        <Tabs
          component="nav"
          activeKey={view.name}
          aria-label={_("Virtual networks")}
          inset={{ default: "insetSm" }}
          onSelect={(event, key) => {
            event.preventDefault();
            go(String(key));
          }}
        >
          {views.map(each => (
            <Tab
              key={each.name}
              eventKey={each.name}
              tabContentId="vnet-view"
              href={`#/${each.name}`}
              title={<TabTitleText>{_(each.title)}</TabTitleText>}
            />
          ))}
        </Tabs>
        <div id="vnet-view" className="vnet-content">
          {view.show(rest)}
        </div>
      </main>
    </MayChange.Provider>
  );
}

// SPDX-License-Identifier: GPL-2.0-or-later
import "@patternfly/react-core/dist/styles/base.css";
import "./page.css";

import { createRoot } from "react-dom/client";

import { App } from "./app";
import { cockpit } from "./lib/cockpit";
import { followTheme } from "./lib/theme";

followTheme();
// The language is known once there is a connection to the host.
cockpit.transport.wait(() => {
  document.documentElement.lang = cockpit.language || "en";
  if (cockpit.language_direction) document.documentElement.dir = cockpit.language_direction;
  createRoot(document.getElementById("app")!).render(<App />);
});

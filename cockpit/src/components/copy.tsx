// SPDX-License-Identifier: GPL-2.0-or-later
// A command with a button that copies it.
import { Button } from "@patternfly/react-core";
import CopyIcon from "@patternfly/react-icons/dist/esm/icons/copy-icon";
import { useRef, useState } from "react";

import { _ } from "../lib/i18n";

export function Command({ text }: { text: string }) {
  const code = useRef<HTMLElement>(null);
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    window.getSelection()?.selectAllChildren(code.current!);
    // The clipboard API needs HTTPS; without it the selection is copied.
    if (navigator.clipboard)
      await navigator.clipboard.writeText(text).catch(() => document.execCommand("copy"));
    else document.execCommand("copy");
    setCopied(true);
    window.setTimeout(() => setCopied(false), 2000);
  };
  return (
    <div className="vnet-command">
      <code ref={code}>{text}</code>
      <Button variant="secondary" size="sm" icon={<CopyIcon />} onClick={copy}>
        <span aria-live="polite">{copied ? _("Copied") : _("Copy")}</span>
      </Button>
    </div>
  );
}

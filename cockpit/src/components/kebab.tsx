// SPDX-License-Identifier: GPL-2.0-or-later
// A menu of actions behind three dots.
import { Dropdown, DropdownItem, DropdownList, MenuToggle } from "@patternfly/react-core";
import EllipsisVIcon from "@patternfly/react-icons/dist/esm/icons/ellipsis-v-icon";
import { useState } from "react";

import { useMayChange } from "../lib/hooks";

export interface Item {
  title: string;
  danger?: boolean;
  choose: () => void;
}

export function Kebab({ label, items }: { label: string; items: Item[] }) {
  const mayChange = useMayChange();
  const [open, setOpen] = useState(false);
  return (
    <Dropdown
      isOpen={open}
      onOpenChange={setOpen}
      shouldFocusFirstItemOnOpen
      shouldFocusToggleOnSelect
      popperProps={{ position: "right" }}
      toggle={ref => (
        <MenuToggle
          ref={ref}
          variant="plain"
          isExpanded={open}
          isDisabled={!mayChange}
          icon={<EllipsisVIcon />}
          aria-label={label}
          onClick={() => setOpen(!open)}
        />
      )}
    >
      <DropdownList>
        {items.map(item => (
          <DropdownItem
            key={item.title}
            isDanger={item.danger}
            onClick={() => {
              setOpen(false);
              item.choose();
            }}
          >
            {item.title}
          </DropdownItem>
        ))}
      </DropdownList>
    </Dropdown>
  );
}

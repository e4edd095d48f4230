// SPDX-License-Identifier: GPL-2.0-or-later
// A form that changes something: it stays open with the command's error until it has worked.
import { Button, Form, Modal, ModalBody, ModalFooter, ModalHeader } from "@patternfly/react-core";
import { useState, type FormEvent, type ReactNode } from "react";

import { _ } from "../lib/i18n";
import { Problem } from "./problem";

export function Dialog({
  title,
  action,
  run,
  close,
  wide,
  danger,
  disabled,
  children,
}: {
  title: string;
  action: string; // the button's text
  run: () => Promise<unknown>;
  close: () => void;
  wide?: boolean;
  danger?: boolean;
  disabled?: boolean;
  children?: ReactNode;
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error>();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    run().then(close, problem => {
      setError(problem);
      setBusy(false);
    });
  };
  return (
    <Modal isOpen onClose={close} variant={wide ? "large" : "medium"} aria-label={title}>
      <ModalHeader title={title} />
      <ModalBody tabIndex={0}>
        <Form id="vnet-form" onSubmit={submit}>
          {children}
        </Form>
        <Problem error={error} />
      </ModalBody>
      <ModalFooter>
        <Button
          type="submit"
          form="vnet-form"
          variant={danger ? "danger" : "primary"}
          isLoading={busy}
          isDisabled={busy || disabled}
        >
          {action}
        </Button>
        <Button variant="link" onClick={close}>
          {_("Cancel")}
        </Button>
      </ModalFooter>
    </Modal>
  );
}

// SPDX-License-Identifier: GPL-2.0-or-later
// The inputs of forms, each with its label and its help.
import {
  FormGroup,
  FormHelperText,
  FormSelect,
  FormSelectOption,
  HelperText,
  HelperTextItem,
  Switch,
  TextInput,
} from "@patternfly/react-core";
import type { ReactNode } from "react";

interface Common {
  id: string;
  label: string;
  help?: string;
  required?: boolean;
  disabled?: boolean;
}

export function Group({ id, label, help, required, children }: Common & { children: ReactNode }) {
  return (
    <FormGroup label={label} fieldId={id} isRequired={required}>
      {children}
      {help ? (
        <FormHelperText>
          <HelperText>
            <HelperTextItem id={`${id}-help`}>{help}</HelperTextItem>
          </HelperText>
        </FormHelperText>
      ) : null}
    </FormGroup>
  );
}

export function Text({
  value,
  change,
  suggestions,
  ...common
}: Common & {
  value: string;
  change: (value: string) => void;
  suggestions?: string[];
}) {
  const { id, help, required, disabled } = common;
  return (
    <Group {...common}>
      <TextInput
        id={id}
        value={value}
        isRequired={required}
        isDisabled={disabled}
        autoComplete="off"
        aria-describedby={help ? `${id}-help` : undefined}
        list={suggestions ? `${id}-list` : undefined}
        onChange={(_event, text) => change(text)}
      />
      {suggestions ? (
        <datalist id={`${id}-list`}>
          {suggestions.map(each => (
            <option key={each} value={each} />
          ))}
        </datalist>
      ) : null}
    </Group>
  );
}

export function Choice({
  value,
  change,
  choices,
  ...common
}: Common & {
  value: string;
  change: (value: string) => void;
  choices: Array<[value: string, label: string]>;
}) {
  const { id, help, required, disabled } = common;
  return (
    <Group {...common}>
      <FormSelect
        id={id}
        value={value}
        isRequired={required}
        isDisabled={disabled}
        aria-describedby={help ? `${id}-help` : undefined}
        onChange={(_event, chosen) => change(chosen)}
      >
        {choices.map(([name, label]) => (
          <FormSelectOption key={name} value={name} label={label} />
        ))}
      </FormSelect>
    </Group>
  );
}

export function OnOff({
  id,
  label,
  value,
  change,
  disabled,
}: Common & {
  value: boolean;
  change: (value: boolean) => void;
}) {
  return (
    <FormGroup fieldId={id}>
      <Switch
        id={id}
        label={label}
        isChecked={value}
        isDisabled={disabled}
        onChange={(_event, checked) => change(checked)}
      />
    </FormGroup>
  );
}

// SPDX-License-Identifier: GPL-2.0-or-later
// Translated texts: _() translates, N_() only marks a text that a table has, format() puts values in.
import { cockpit } from "./cockpit";

export { N_ } from "../model/mark";

export const _ = (text: string): string => (text ? cockpit.gettext(text) : "");
export const ngettext = (one: string, many: string, count: number): string =>
  cockpit.format(cockpit.ngettext(one, many, count), count);
export const format = (text: string, ...values: unknown[]): string => cockpit.format(text, ...values);

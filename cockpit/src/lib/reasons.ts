// SPDX-License-Identifier: GPL-2.0-or-later
// A drop reason's meaning, which is the program's, and what can be done about it.
import meanings from "reasons:meanings";

import { remedies } from "../model/remedies";
import { _ } from "./i18n";

export const meaningOf = (reason: string): string => _(meanings[reason] ?? "");
export const remedyOf = (reason: string): string => _(remedies[reason] ?? "");
export const allReasons = Object.keys(meanings);

// SPDX-License-Identifier: GPL-2.0-or-later
// Marks a text for translation where it is written; it is translated where it is shown.
export const N_ = (text: string): string => text;

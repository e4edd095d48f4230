// SPDX-License-Identifier: GPL-2.0-or-later
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";

import { translation } from "../../build/translation.mjs";
import { template } from "../../po/extract.mjs";

const po = `msgid ""
msgstr ""
"Language: de\\n"
"Plural-Forms: nplurals=2; plural=n != 1;\\n"

#: src/app.tsx
msgid "Networks"
msgstr "Netze"

#, fuzzy
msgid "Flows"
msgstr "Fluss"

msgid "$0 check"
msgid_plural "$0 checks"
msgstr[0] "$0 "
"Prüfung"
msgstr[1] "$0 Prüfungen"

msgid "Doctor"
msgstr ""
`;

test("a .po file becomes what cockpit.locale() takes, without what is fuzzy or missing", () => {
  let table;
  new Function("window", translation(po))({ cockpit: { locale: given => (table = given) } });
  assert.equal(table[""].language, "de");
  assert.equal(table[""]["plural-forms"](1), false);
  delete table[""];
  assert.deepEqual(table, {
    Networks: [null, "Netze"],
    "$0 check": ["$0 checks", "$0 Prüfung", "$0 Prüfungen"],
  });
});

test("the template for translators has every text", () => {
  const there = readFileSync(new URL("../../po/vnet-bpf.pot", import.meta.url), "utf8");
  assert.ok(there === template(), "po/vnet-bpf.pot is out of date: npm run pot");
});

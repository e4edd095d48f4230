// SPDX-License-Identifier: GPL-2.0-or-later
// A .po file as the script that Cockpit serves as po.js to users of that language.

const unquote = text => JSON.parse(text.trim().replace(/[\t]/g, "\\t"));

/** The entries of a .po file: {context, id, plural, texts, fuzzy}. */
export function entries(po) {
  const all = [];
  for (const block of po.split(/\n\s*\n/)) {
    const entry = { id: "", texts: [], fuzzy: /^#,.*\bfuzzy\b/m.test(block) };
    let append = () => {};
    for (const line of block.split("\n")) {
      const match = /^(msgctxt|msgid_plural|msgid|msgstr)(?:\[(\d+)\])? (".*")$/.exec(line);
      if (match) {
        const [, word, index, text] = match;
        if (word === "msgstr")
          append = more => (entry.texts[+(index ?? 0)] = (entry.texts[+(index ?? 0)] ?? "") + more);
        else {
          const key = { msgctxt: "context", msgid_plural: "plural", msgid: "id" }[word];
          append = more => (entry[key] = (entry[key] ?? "") + more);
        }
        append(unquote(text));
      } else if (line.startsWith('"')) append(unquote(line));
    }
    if (entry.texts.length) all.push(entry);
  }
  return all;
}

export function translation(po) {
  const [head, ...rest] = entries(po);
  const header = name => new RegExp(`^${name}: *(.*)$`, "mi").exec(head.texts[0])?.[1] ?? "";
  const plural = /plural=([-n0-9 ()?:<>=!&|%+*]+);?/.exec(header("Plural-Forms"))?.[1] ?? "n != 1";
  const table = rest
    .filter(entry => !entry.fuzzy && entry.texts.every(text => text))
    .map(entry => {
      const key = entry.context ? `${entry.context}\u0004${entry.id}` : entry.id;
      return `${JSON.stringify(key)}:${JSON.stringify([entry.plural ?? null, ...entry.texts])}`;
    });
  const about = `"":{"plural-forms":n=>${plural},"language":${JSON.stringify(header("Language"))}}`;
  return `window.cockpit && window.cockpit.locale({${[about, ...table].join(",\n")}});\n`;
}

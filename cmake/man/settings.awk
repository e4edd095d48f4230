# The table of docs/xml.md as items of a mdoc(7) list.
# SPDX-License-Identifier: GPL-2.0-or-later
function plain(text) {
	gsub(/`|^ +| +$/, "", text)
	# [xdp.md](xdp.md#where): the name is enough, since the documents are installed.
	while (match(text, /\]\([^)]*\)/))
		text = substr(text, 1, RSTART - 1) substr(text, RSTART + RLENGTH)
	gsub(/\[/, "", text)
	return text
}
/^\| element \| values \|/ { inside = 1; next }
!/^\|/ { inside = 0 }
inside && !/^\|---/ {
	split($0, cell, "|")
	printf ".It Sy %s\n%s.\n.br\nValues: %s.\n", plain(cell[2]), plain(cell[5]), plain(cell[3])
	if (plain(cell[4]) != "") printf "Default: %s.\n", plain(cell[4])
}

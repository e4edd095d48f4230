# The rows of maps/reasons.h as items of a mdoc(7) list.
# SPDX-License-Identifier: GPL-2.0-or-later
/^  X\(/ {
	split($0, part, "\"")
	printf ".It Sy %s\n%s.\n", part[2], part[4]
}

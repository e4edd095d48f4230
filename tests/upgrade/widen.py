#!/usr/bin/env python3
"""Makes of a copy of the sources a version with another layout: sessions with a new member in front, the next
ABI version, and the step between the two. As CONTRIBUTING.md says how a pinned structure is changed.

    widen.py FOLDER"""
import pathlib
import re
import sys

STEP = """
struct vnet_session_old {
%s};

// What layouts/abi_N.h would have, were it not made by a test.
void widen(const vnet_session_old& from, vnet_session& to) {
  std::memcpy(&to.due, &from, sizeof(from));
  to.wide[0] = to.wide[1] = 0x776964656e6564ULL;
}
void narrow(const vnet_session& from, vnet_session_old& to) { std::memcpy(&to, &from.due, sizeof(to)); }
"""


def change(path, *changes):
    text = path.read_text()
    for pattern, replacement in changes:
        text, times = re.subn(pattern, replacement, text, count=1, flags=re.S)
        if not times:
            sys.exit(f"widen.py: {path} has no {pattern!r}")
    path.write_text(text)


def main():
    tree = pathlib.Path(sys.argv[1])
    abi = tree / "maps/abi.h"
    version = int(re.search(r"#define VNET_ABI_VERSION (\d+)", abi.read_text()).group(1))
    members = re.search(r"\nstruct vnet_session \{\n(.*?)\};", abi.read_text(), re.S).group(1)
    size = int(re.search(r"VNET_SIZE\(struct vnet_session, (\d+)\)", abi.read_text()).group(1))
    change(abi, (r"#define VNET_ABI_VERSION \d+", f"#define VNET_ABI_VERSION {version + 1}"),
           (r"\nstruct vnet_session \{\n", "\nstruct vnet_session {\n  __u64 wide[2];\n"),
           (r"VNET_SIZE\(struct vnet_session, \d+\)", f"VNET_SIZE(struct vnet_session, {size + 16})"))
    rows = (f'values<widen, narrow, vnet_session_old, vnet_session>({version}, "sessions"),\n'
            f'      copied<vnet_flow>({version}, "rev_nat"),\n')
    change(tree / "loader/bpf/layouts/steps.cpp",
           (r"\nnamespace vnet \{\n", '\n#include "maps/abi.h"\n\nnamespace vnet {\nnamespace {\n' + (STEP % members) +
            "\n}  // namespace\n"),
           (r"(all\{.*?)\n  \};", r"\1\n      " + rows + "  };"))


main()

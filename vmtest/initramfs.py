# SPDX-License-Identifier: GPL-2.0-or-later
"""An initial RAM file system put together in memory: files, programs with their libraries, kernel modules."""

import os
import pathlib
import re
import shutil
import stat
import subprocess
import tempfile


class Initramfs:
    def __init__(self):
        self.entries = {}  # path without leading slash -> (mode, content)
        for name in ("dev", "proc", "sys", "run", "tmp", "root", "etc", "var/lib/misc", "var/run", "usr/lib64",
                     "usr/lib/x86_64-linux-gnu", "usr/sbin"):
            self.folder(name)
        for name in ("bin", "sbin", "lib", "lib64"):
            self.link(name, f"usr/{name}")

    def folder(self, path):
        path = path.strip("/")
        while path and path not in self.entries:
            self.entries[path] = (stat.S_IFDIR | 0o755, b"")
            path = os.path.dirname(path)

    def write(self, path, content, mode=0o644):
        path = self._real(path)
        self.folder(os.path.dirname(path))
        self.entries[path] = (stat.S_IFREG | mode, content if isinstance(content, bytes) else content.encode())

    def link(self, path, target):
        path = path.strip("/")
        self.folder(os.path.dirname(path))
        self.entries[path] = (stat.S_IFLNK | 0o777, target.encode())

    def copy(self, source, path=None):
        source = pathlib.Path(source)
        self.write(path or str(source), source.read_bytes(), source.stat().st_mode & 0o777)

    def program(self, source, path=None, strip=False):
        """An ELF file or script, executable, with the shared libraries that it asks for."""
        source = str(source)
        content = pathlib.Path(source).read_bytes()
        if strip:
            with tempfile.NamedTemporaryFile() as stripped:
                subprocess.run(["strip", "-o", stripped.name, source], check=True)
                content = pathlib.Path(stripped.name).read_bytes()
        self.write(path or source, content, 0o755)
        needed = subprocess.run(["ldd", source], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        for library in re.findall(r"(/\S+) \(0x", needed.stdout):
            if self._real(library) not in self.entries:
                self.copy(library)

    def tools(self, names):
        """The system's programs of these names, each in its own folder; returns those that it lacks."""
        return [name for name in names if not self._tool(name)]

    def _tool(self, name):
        path = shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin")
        if not path:
            return False
        self.program(os.path.realpath(path), path)  # a link's name matters: modprobe is a name of kmod
        return True

    def modules(self, kernel, wanted=None):
        """The modules of an unpacked kernel: all, or those named and what they need; their paths in load order."""
        (folder,) = (kernel / "lib/modules").iterdir()
        target = f"usr/lib/modules/{folder.name}"
        if wanted is None:
            names = [str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()]
        else:
            names = self._closure(folder, wanted)
        for name in names:
            self.copy(folder / name, f"{target}/{name}")
        return [f"{target}/{name}" for name in names]

    @staticmethod
    def _closure(folder, wanted):
        """modules.dep names a module's needs completely, the last of them first to be loaded."""
        result = {}
        for line in (folder / "modules.dep").read_text().splitlines():
            name, needs = line.split(":")
            if pathlib.Path(name).name.removesuffix(".ko").replace("-", "_") in wanted:
                result |= dict.fromkeys([*reversed(needs.split()), name])
        return list(result)

    def _real(self, path):
        path = path.strip("/")
        first, slash, rest = path.partition("/")
        return f"usr/{first}{slash}{rest}" if slash and first in ("bin", "sbin", "lib", "lib64") else path

    def save(self, path):
        with open(path, "wb") as out:
            for number, name in enumerate(sorted(self.entries)):
                mode, content = self.entries[name]
                out.write(self._record(number + 1, name, mode, content))
            out.write(self._record(0, "TRAILER!!!", 0, b""))

    @staticmethod
    def _record(number, name, mode, content):
        """cpio's "newc" format: a header in hex, the name, the content, each padded to four bytes."""
        encoded = name.encode() + b"\0"
        fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(encoded), 0)
        head = b"070701" + b"".join(b"%08x" % field for field in fields) + encoded
        return head + b"\0" * (-len(head) % 4) + content + b"\0" * (-len(content) % 4)

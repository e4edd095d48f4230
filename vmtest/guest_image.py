# SPDX-License-Identifier: GPL-2.0-or-later
"""The initial RAM file system of a guest: busybox, a few network tools, the drivers of its devices."""

import hashlib
import pathlib
import subprocess

import initramfs
import kernel

HERE = pathlib.Path(__file__).resolve().parent / "guest"
DRIVERS = {"virtio_pci", "virtio_net", "virtio_console"}
TOOLS = ("socat", "ethtool", "dhclient")


def key(source):
    """What the image depends on."""
    digest = hashlib.sha256(str(source).encode())
    for path in (*sorted(HERE.iterdir()), pathlib.Path(__file__), HERE.parent / "initramfs.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def build(name):
    """(kernel, initrd), from the cache if they are there."""
    source = kernel.fetch(name)
    path = kernel.CACHE / f"guest-{source.name}-{key(source)}.cpio"
    if not path.exists():
        image = initramfs.Initramfs()
        applets = subprocess.run(["busybox", "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout.split()
        for applet in applets:
            if applet != "busybox":
                image.link(f"usr/bin/{applet}", "busybox")
        image.program("/usr/bin/busybox")
        image.tools(TOOLS)
        for file in ("init", "dhcp-event", "dhcp6-event"):
            image.write(file, (HERE / file).read_bytes(), 0o755)
        image.write("modules", "\n".join(image.modules(source, DRIVERS)) + "\n")
        image.folder("var/lib/dhcp")
        image.save(path.with_suffix(".new"))
        path.with_suffix(".new").rename(path)
    return source / "vmlinux", path

# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's kernel packages: downloaded and unpacked into the cache, never installed."""

import fcntl
import os
import pathlib
import re
import shutil
import struct
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CACHE = pathlib.Path(os.environ.get("VMTEST_CACHE") or
                     pathlib.Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "vnet-bpf-vmtest")

# What network tests may ask for. All of Debian's modules would be ten times as much to unpack at each boot.
MODULES = re.compile(
    r"^kernel/(net/(8021q|802|bridge|core|ipv4|ipv6|llc|netfilter|netlink|packet|sched|unix|openvswitch|nsh|mpls|psample|9p|xfrm)/"
    r"|drivers/net/(bonding|vxlan|ipvlan|macvlan|team|wireguard)/|drivers/net/[^/]*\.ko"
    r"|drivers/(virtio|vhost)/|drivers/block/(virtio_blk|loop)|drivers/char/(virtio_console|hw_random/)"
    r"|lib/|crypto/|arch/x86/crypto/|fs/overlayfs/)")


class Unavailable(Exception):
    """The kernel cannot be had; the text says why."""


def matrix():
    """{name: package} of the file `kernels`."""
    lines = [line.split("#")[0].split() for line in (HERE / "kernels").read_text().splitlines()]
    return {words[0]: words[1] for words in lines if words}


def run(*argv, **options):
    return subprocess.run(argv, check=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options).stdout


def image_package(package):
    """The package with the image: a meta package depends on it."""
    try:
        text = run("apt-cache", "depends", package, text=True)
    except (subprocess.CalledProcessError, FileNotFoundError) as error:
        raise Unavailable(f"no package {package} (apt-get update?): {error}") from error
    found = re.search(r"Depends: (linux-image-\S+)", text)
    return found[1] if found else package


def uncompressed(bzimage):
    """The ELF file in a bzImage: QEMU enters it directly, which spares the guest the decompression."""
    data = bzimage.read_bytes()
    offset, length = struct.unpack_from("<II", data, 0x248)  # boot protocol: payload_offset, payload_length
    start = (data[0x1F1] + 1) * 512 + offset
    payload = data[start:start + length]
    for magic, tool in ((b"\x28\xb5\x2f\xfd", "zstd"), (b"\xfd7zXZ\0", "xz"), (b"\x1f\x8b", "gzip"),
                        (b"\x02\x21\x4c\x18", "lz4")):
        if payload.startswith(magic):
            # The size that Linux appends makes the tools complain after they have done the work.
            result = subprocess.run([tool, "-dc"], input=payload, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                    check=False).stdout
            if result.startswith(b"\x7fELF"):
                return result
    raise Unavailable(f"{bzimage.name} is compressed in an unknown way")


def wanted(dependencies):
    """The modules that MODULES names, and what they need, out of a modules.dep."""
    names = set()
    for line in dependencies.splitlines():
        name, needs = line.split(":")
        if MODULES.match(name):
            names |= {name, *needs.split()}
    return names


def unpack(deb, release, target):
    target.mkdir()
    run("dpkg-deb", "-x", str(deb), str(target / "all"))
    boot, modules = target / "all/boot", target / "all/lib/modules" / release
    if not modules.is_dir():
        modules = target / "all/usr/lib/modules" / release
    kept = target / "lib/modules" / release
    run("depmod", "-b", str(modules.parents[2]), release)  # the package has no modules.dep
    for name in wanted((modules / "modules.dep").read_text()):
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(modules / name, kept / name)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        shutil.copy(modules / name, kept)
    packed = [str(path) for path in kept.rglob("*.ko.xz")]
    if packed:
        run("xz", "-d", *packed)
    run("depmod", "-b", str(target), release)
    (target / "vmlinux").write_bytes(uncompressed(boot / f"vmlinuz-{release}"))
    shutil.copy(boot / f"config-{release}", target / "config")
    shutil.rmtree(target / "all")


def fetch(name):
    """The folder with vmlinux and lib/modules of a kernel of the matrix."""
    package = image_package(matrix()[name])
    release = package.removeprefix("linux-image-")
    folder = CACHE / release
    CACHE.mkdir(parents=True, exist_ok=True)
    with open(CACHE / ".lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Unpacked for these modules, or for those of an older version of this file.
        kept = folder / "modules"
        if kept.exists() and kept.read_text() == MODULES.pattern:
            return folder
        with tempfile.TemporaryDirectory(dir=CACHE) as scratch:
            work = pathlib.Path(scratch)
            os.chmod(work, 0o755)  # apt downloads as another user
            try:
                run("apt-get", "download", "-o", "APT::Sandbox::User=root", package, cwd=work)
                (deb,) = work.glob("*.deb")
                unpack(deb, release, work / "kernel")
            except subprocess.CalledProcessError as error:
                raise Unavailable(f"{' '.join(error.cmd[:3])}: {error.stderr.decode(errors='replace')}") from error
            (work / "kernel/modules").write_text(MODULES.pattern)
            shutil.rmtree(folder, ignore_errors=True)
            shutil.move(work / "kernel", folder)
    return folder

# SPDX-License-Identifier: GPL-2.0-or-later
"""What runs on a kernel, and the file system that it runs in."""

import fnmatch
import os
import pathlib
import re
import shlex
import subprocess

import initramfs

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = "/usr/bin/python3"
PROGRAMS = ("packet_tests", "e2e_tests")


def data_lines(name):
    return [line for line in (HERE / name).read_text().splitlines() if line.strip() and not line.startswith("#")]


def listed(program):
    """GoogleTest's list: suites at the margin, their tests indented."""
    names, suite = [], ""
    text = subprocess.run([program, "--gtest_list_tests"], stdout=subprocess.PIPE, text=True, check=True).stdout
    for line in text.splitlines():
        word = line.split("#")[0].rstrip()
        if word.endswith(".") and not word.startswith(" "):
            suite = word
        elif ".DISABLED_" in suite + word.strip() or word.strip().startswith("DISABLED_"):
            continue
        elif word.startswith("  "):
            names.append(suite + word.strip())
    return names


def left_out(kernel):
    """{pattern: why}"""
    entries = [line.split(None, 2) for line in data_lines("leave-out")]
    return {test: why for where, test, why in entries if where in (kernel, "all")}


def matching(program, regex):
    return [test for test in listed(program) if re.search(regex, test)]


def guest_tests(build, mode, regex):
    """libvirt's and QEMU's tests bring networks of their own: once is enough."""
    return [test for test in matching(build / "guest_tests", regex) if mode == "nat" or test.startswith("GuestTest.")]


def guest_script(build, mode, tests):
    return (f"VNET_GUEST_MODE={mode} VNET_GUEST_ALL=1 {build / 'guest_tests'} --gtest_color=no --gtest_output=xml:$RESULTS/guest_tests.xml "
            f"--gtest_filter={shlex.quote(':'.join(tests))}")


def chosen(kernel, build, regex):
    """{program: [tests]}: those that match and are not left out; a suite asked for by its very name is not."""
    out = [pattern for pattern in left_out(kernel) if pattern.partition(".")[0] != regex]
    return {program: [test for test in matching(build / program, regex)
                      if not any(fnmatch.fnmatchcase(test, pattern) for pattern in out)]
            for program in PROGRAMS}


def script(build, tests):
    """For sh; $RESULTS is where files go that are wanted afterwards."""
    lines = ["bad=0", "echo '@@step what the verifier says'",
             f"{build / 'kernel_facts'} > $RESULTS/facts.json || {{ bad=1; echo '@@trouble the programs do not load'; }}"]
    for line in data_lines("features"):
        name, command = (part.strip() for part in line.split("|"))
        lines.append(f"unshare -n sh -c {shlex.quote(command)} >> $RESULTS/features.log 2>&1 && echo {shlex.quote(name)} >> $RESULTS/features")
    for program, names in tests.items():
        if names:
            lines += [f"echo '@@step {program}: {len(names)} tests'",
                      f"{build / program} --gtest_color=no --gtest_output=xml:$RESULTS/{program}.xml "
                      f"--gtest_filter={shlex.quote(':'.join(names))} || bad=1"]
    return "\n".join([*lines, "exit $bad", ""])


def bench_script(build, only):
    """The benchmark's cases whose names contain `only`."""
    source = HERE.parent
    return (f"VNET_BUILD_DIR={build} {PYTHON} {source}/tests/bench/bench --networks 1 --rounds 3 --only {shlex.quote(only)} "
            f"--output $RESULTS/bench\n")


def add_bench(image, build):
    """Python with its library, and the benchmark."""
    image.program(PYTHON)
    library = pathlib.Path(subprocess.run([PYTHON, "-c", "import os; print(os.path.dirname(os.__file__))"],
                                          stdout=subprocess.PIPE, text=True, check=True).stdout.strip())
    for file in library.rglob("*"):
        if file.is_file() and file.suffix in (".py", ".so") and "site-packages" not in file.parts:
            (image.program if file.suffix == ".so" else image.copy)(file)
    for file in (HERE.parent / "tests/bench").iterdir():
        if file.is_file():
            image.copy(file)
    image.program(build / "vnet-bench-traffic", strip=True)


def save_initrd(path, kernel, build, text, bench=False):
    """Returns the names of tools that this system does not have."""
    image = initramfs.Initramfs()
    missing = image.tools([word for line in data_lines("tools") for word in line.split()])
    # At their own paths: the tests know where the program is.
    for program in (*PROGRAMS, "vnet-bpf", "kernel_facts"):
        image.program(build / program, strip=True)
    for dispatcher in pathlib.Path("/usr/lib").glob("*/bpf/xdp-dispatcher.o"):  # libxdp's
        image.copy(dispatcher)
    for folder in ("packaging", "scripts"):  # of the project: what is installed, the demo
        for file in (HERE.parent / folder).rglob("*"):
            if file.is_file():
                image.copy(file)
    if bench:
        add_bench(image, build)
    image.modules(kernel)
    for name in ("/etc/protocols", "/etc/services"):
        if os.path.exists(name):
            image.copy(name)
    image.write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/false\n"
                "dnsmasq:x:999:65534::/:/bin/false\ntcpdump:x:998:65534::/:/bin/false\n")
    image.write("etc/group", "root:x:0:\nnogroup:x:65534:\n")
    image.write("etc/hosts", "127.0.0.1 localhost\n")
    image.write("init", (HERE / "init").read_bytes(), 0o755)
    image.write("run-tests", text)
    image.save(path)
    return missing

# SPDX-License-Identifier: GPL-2.0-or-later
"""One boot of a test machine in QEMU, watched until it ends, hangs or dies."""

import dataclasses
import functools
import os
import selectors
import subprocess
import time

PATIENCE = 4
QEMU = os.environ.get("VMTEST_QEMU", "qemu-system-x86_64")
# Panics end the machine at once; nothing is spent on mitigations, self-tests, zeroing and accounting of memory.
# Programs are where they were the last time: what QEMU has translated of them is found again, which halves the whole.
COMMAND_LINE = ("console=ttyS0 panic=-1 oops=panic quiet loglevel=6 mitigations=off tsc=reliable no_timer_check nokaslr norandmaps "
                "cryptomgr.notests audit=0 init_on_alloc=0 cgroup_disable=memory nowatchdog random.trust_cpu=on rcupdate.rcu_expedited=1 "
                "rcupdate.rcu_cpu_stall_timeout=120 bonding.max_bonds=0 dummy.numdummies=0 ifb.numifbs=0")


@functools.cache
def accelerator():
    """KVM where it works: the device may be there and refuse all the same, so QEMU is asked to start with it."""
    kvm = ["-accel", "kvm", "-cpu", "host"]
    if os.environ.get("VMTEST_ACCEL") != "tcg" and os.access("/dev/kvm", os.W_OK):
        probe = subprocess.run([QEMU, "-M", "q35", *kvm, "-m", "64", "-nodefaults", "-no-user-config", "-display", "none", "-S",
                                "-monitor", "stdio"], input=b"quit\n", capture_output=True, check=False)
        if probe.returncode == 0:
            return kvm
    # The guest's clock counts its instructions, and jumps ahead when it is idle: however slow or busy this
    # host is, the tests' time limits mean the same, and waiting costs nothing. cmpxchg16b of QEMU 7.2 now and
    # then corrupts the guest. Emulated, string instructions are slower than a loop, and SMAP ends a block of
    # translated code at each access to user memory: without them a sixth is saved.
    return ["-accel", "tcg,thread=single", "-icount", "shift=1,sleep=off", "-rtc", "clock=vm", "-cpu", "max,la57=off,-cx16,-erms,-fsrm,-smap,-smep"]


def cpu_seconds(pid):
    """What a process has computed so far."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclasses.dataclass
class Outcome:
    status: int | None  # what the machine reports; None when it does not
    why: str            # "" when it came to its end
    boot: float         # seconds from power on to the first test, of computing: others' load does not count
    total: float
    computed: float = 0


# QEMU stops the machine then and waits. A KVM of a virtual machine may emulate instructions, and not know some.
KVM_FAILS = "KVM internal error"


def boot(kernel, initrd, folder, limit, silence, on_line, memory="2G"):
    """Runs the machine; `on_line` gets each line of its second serial port as it comes.

    Both limits are seconds of computing, or four times as many by the clock: this host may be busy.
    Leaves console.log (the kernel), output.log and results.tar in `folder`.
    """
    outcome = boot_once(kernel, initrd, folder, limit, silence, on_line, memory)
    if KVM_FAILS not in outcome.why:
        return outcome
    print(f"{outcome.why}: emulated from now on", flush=True)
    os.environ["VMTEST_ACCEL"] = "tcg"
    accelerator.cache_clear()
    return boot_once(kernel, initrd, folder, limit, silence, on_line, memory)


def boot_once(kernel, initrd, folder, limit, silence, on_line, memory):
    disk = folder / "results.tar"
    with open(disk, "wb") as file:
        file.truncate(64 << 20)
    argv = [QEMU, "-M", "q35", *accelerator(), "-smp", "1", "-m", memory, "-nodefaults", "-no-user-config", "-display", "none",
            "-no-reboot", "-kernel", kernel / "vmlinux", "-initrd", initrd, "-append", COMMAND_LINE,
            "-serial", f"file:{folder / 'console.log'}", "-serial", "stdio",
            "-drive", f"file={disk},format=raw,if=none,id=results,cache=unsafe", "-device", "virtio-blk-pci,drive=results"]
    started = last = time.monotonic()
    computed_last = 0
    outcome = Outcome(None, "", 0, 0)
    with open(folder / "output.log", "wb") as log, open(folder / "qemu.log", "wb") as errors, \
         subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors) as qemu, \
         selectors.DefaultSelector() as ready:
        try:
            ready.register(qemu.stdout, selectors.EVENT_READ)
            rest = b""
            while True:
                now, computed = time.monotonic(), cpu_seconds(qemu.pid)
                outcome.computed = computed
                if computed > limit or now - started > PATIENCE * limit:
                    outcome.why = f"not done after {limit} s"
                elif computed - computed_last > silence or now - last > PATIENCE * silence:
                    outcome.why = f"nothing heard for {silence} s"
                elif KVM_FAILS in (folder / "qemu.log").read_text(errors="replace"):
                    outcome.why = KVM_FAILS
                if outcome.why:
                    break
                if not ready.select(timeout=1):
                    continue
                chunk = os.read(qemu.stdout.fileno(), 65536)
                if not chunk:
                    break
                last, computed_last = now, computed
                log.write(chunk)
                log.flush()
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    text = line.decode(errors="replace").rstrip("\r")
                    if text.startswith("@@ready"):
                        outcome.boot = cpu_seconds(qemu.pid)
                    elif text.startswith("@@exit"):
                        outcome.status = int(text.split()[1])
                    on_line(text)
        finally:
            if qemu.poll() is None and outcome.why:
                qemu.kill()
            try:
                qemu.wait(timeout=10)
            except subprocess.TimeoutExpired:
                qemu.kill()
    outcome.total = time.monotonic() - started
    if outcome.status is None and not outcome.why:
        outcome.why = "the machine died without a report"
        if qemu.returncode:
            outcome.why += f"; QEMU: {(folder / 'qemu.log').read_text(errors='replace').strip()}"
    return outcome

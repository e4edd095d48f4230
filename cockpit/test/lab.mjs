// SPDX-License-Identifier: GPL-2.0-or-later
// A host with guests and an outside in network namespaces of their own, Cockpit and a browser on that host.
//   gN:eth0 -- host:vnetN    host:up0 -- out:eth0 (203.0.113.2)
// Nothing of the machine's own network is touched; close() removes all of it.
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
export const program = process.env.VNET_BPF ?? join(root, "build/vnet-bpf");
const cockpitWs = ["/usr/lib/cockpit/cockpit-ws", "/usr/libexec/cockpit-ws"].find(existsSync);
const chromium = ["/usr/bin/chromium", "/usr/bin/chromium-browser"].find(existsSync);

/** Why the tests with a browser cannot run here; "" where they can. */
export function missing() {
  if (process.getuid() !== 0) return "not root";
  if (!existsSync(program)) return "no vnet-bpf has been built (make build, or VNET_BPF=FILE)";
  if (!cockpitWs) return "no cockpit-ws";
  if (!existsSync("/usr/bin/cockpit-bridge")) return "no cockpit-bridge";
  if (!chromium) return "no chromium";
  if (!existsSync(join(root, "cockpit/dist/index.js"))) return "the page has not been built (make cockpit)";
  return "";
}

const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));
const run = (command, options = {}) =>
  execFileSync(command[0], command.slice(1), {
    encoding: "utf8",
    stdio: ["pipe", "pipe", "pipe"],
    ...options,
  });

export class Lab {
  constructor() {
    this.prefix = `ck${process.pid}`;
    this.dir = mkdtempSync(join(tmpdir(), "vnet-cockpit-"));
    this.state = join(this.dir, "state");
    this.namespaces = [];
    this.children = [];
    this.bpffs = join(this.state, "bpf");
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
      process.once(signal, () => {
        this.close();
        process.exit(1);
      });
  }

  async open(guests = 3) {
    chmodSync(this.dir, 0o755);
    mkdirSync(this.bpffs, { recursive: true });
    // Here and not by the command: what is mounted under `ip netns exec` goes with it.
    run(["mount", "-t", "bpf", "bpf", this.bpffs]);
    for (const name of ["host", "out"]) this.#namespace(name);
    this.#wire("out", "up0");
    this.ip("out", "addr add 203.0.113.2/24 dev eth0");
    this.ip("host", "addr add 203.0.113.1/24 dev up0");
    this.ip("host", "route add default via 203.0.113.2");
    this.in("host", "sysctl", "-qw", "net.ipv4.ip_forward=1");
    for (let n = 1; n <= guests; n++) {
      this.#namespace(`g${n}`);
      this.#wire(`g${n}`, `vnet${n}`, this.mac(n));
    }
    mkdirSync(join(this.dir, "bin"));
    symlinkSync(program, join(this.dir, "bin/vnet-bpf"));
    return this;
  }

  mac = n => `52:54:00:00:00:0${n}`;

  #namespace(name) {
    run(["ip", "netns", "add", this.prefix + name]);
    this.namespaces.push(name);
    this.ip(name, "link set lo up");
  }

  #wire(name, device, mac) {
    const peer = mac ? ["address", mac] : [];
    run([
      "ip",
      "-n",
      this.prefix + "host",
      "link",
      "add",
      device,
      "type",
      "veth",
      "peer",
      "name",
      "eth0",
      ...peer,
      "netns",
      this.prefix + name,
    ]);
    this.ip("host", `link set ${device} up`);
    this.ip(name, "link set eth0 up");
  }

  ip = (name, words) => run(["ip", "-n", this.prefix + name, ...words.split(" ")]);
  in = (name, ...command) => run(["ip", "netns", "exec", this.prefix + name, ...command]);

  get environment() {
    return {
      ...process.env,
      PATH: `${join(this.dir, "bin")}:${process.env.PATH}`,
      VNET_BPF_STATE_DIR: this.state,
    };
  }

  vnet = (...args) =>
    run(["ip", "netns", "exec", this.prefix + "host", program, ...args], { env: this.environment });
  vnetInput = (input, ...args) =>
    run(["ip", "netns", "exec", this.prefix + "host", program, ...args], { env: this.environment, input });
  json = (...args) => JSON.parse(this.vnet(...args, "--json"));

  background(name, command, env = this.environment) {
    const child = spawn("ip", ["netns", "exec", this.prefix + name, ...command], { env, stdio: "ignore" });
    this.children.push(child);
    return child;
  }

  /** Until the guest's port forwards: spanning tree is on, as with libvirt. */
  async reachable(name, address) {
    for (let n = 0; n < 100; n++) {
      try {
        this.in(name, "ping", "-c1", "-W1", address);
        return;
      } catch {
        await sleep(200);
      }
    }
    throw new Error(`${name} does not reach ${address}`);
  }

  /** cockpit-ws without login, on the host's loopback; `user`: its bridge runs as that user. */
  async cockpit({ port = 9090, user } = {}) {
    const home = join(this.dir, `home${port}`);
    for (const folder of ["", "run", "data/cockpit", "config"])
      mkdirSync(join(home, folder), { recursive: true });
    symlinkSync(join(root, "cockpit/dist"), join(home, "data/cockpit/vnet-bpf"));
    chmodSync(join(home, "run"), 0o700);
    const bus = join(home, "run/bus");
    const env = {
      ...this.environment,
      HOME: home,
      XDG_RUNTIME_DIR: join(home, "run"),
      XDG_CONFIG_HOME: join(home, "config"),
      XDG_DATA_HOME: join(home, "data"),
      DBUS_SYSTEM_BUS_ADDRESS: `unix:path=${bus}`,
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${bus}`,
    };
    // The shell talks to a system bus: an empty one is enough, the machine's own is left alone.
    this.background(
      "host",
      ["dbus-daemon", "--system", "--nofork", "--nopidfile", `--address=unix:path=${bus}`],
      env,
    );
    for (let n = 0; n < 50 && !existsSync(bus); n++) await sleep(100);
    let bridge = "/usr/bin/cockpit-bridge";
    if (user) {
      bridge = join(home, "bridge");
      writeFileSync(
        bridge,
        `#!/bin/sh\nexec setpriv --reuid ${user} --regid ${user} --clear-groups cockpit-bridge\n`,
      );
      chmodSync(bridge, 0o755);
      run(["chown", "-R", `${user}:${user}`, home]);
    }
    this.background(
      "host",
      [cockpitWs, "--no-tls", "--address", "127.0.0.1", "--port", String(port), `--local-session=${bridge}`],
      env,
    );
    for (let n = 0; n < 100; n++) {
      if (this.in("host", "ss", "-Hltn", `sport = :${port}`).trim()) break;
      await sleep(100);
    }
    return {
      page: `http://127.0.0.1:${port}/cockpit/@localhost/vnet-bpf/index.html`,
      shell: `http://127.0.0.1:${port}/vnet-bpf`,
    };
  }

  /** The browser as a program in the host's namespace, for playwright. */
  browserProgram() {
    const file = join(this.dir, "browser");
    writeFileSync(file, `#!/bin/sh\nexec ip netns exec ${this.prefix}host ${chromium} "$@"\n`);
    chmodSync(file, 0o755);
    return file;
  }

  close() {
    const quietly = action => {
      try {
        action();
      } catch {
        /* what is gone is gone */
      }
    };
    quietly(() => this.json("list").forEach(network => this.vnet("stop", network.name)));
    for (const child of this.children) child.kill();
    for (const name of this.namespaces) {
      quietly(() => {
        for (const pid of run(["ip", "netns", "pids", this.prefix + name])
          .split("\n")
          .filter(Boolean))
          process.kill(Number(pid), "SIGKILL");
      });
      quietly(() => run(["ip", "netns", "del", this.prefix + name]));
    }
    quietly(() => run(["umount", this.bpffs]));
    rmSync(this.dir, { recursive: true, force: true });
  }
}

// SPDX-License-Identifier: GPL-2.0-or-later
import assert from "node:assert/strict";
import test from "node:test";

import meanings from "reasons:meanings";

import type { Stats } from "../../src/lib/types";
import { KEPT, bitRate, noHistory, withSample } from "../../src/model/rates";
import { remedies } from "../../src/model/remedies";

const sample = (time: number, bytes: number, drops: Record<string, number>, more = 0): Stats => {
  const counters = { rx_packets: 0, rx_bytes: bytes, tx_packets: 0, tx_bytes: 2 * bytes, drops };
  const all = { ...drops, isolated: more };
  return {
    time,
    networks: [{ ...counters, drops: all, network: "lab", sessions: 0, max_sessions: 1 }],
    ports: [{ ...counters, interface: "vnet0", network: "lab" }],
    uplinks: [],
  };
};

test("a rate is what two samples differ by, in bits a second", () => {
  const history = withSample(withSample(noHistory, sample(10, 1000, {})), sample(12, 3000, {}));
  assert.deepEqual(history.rates.get("vnet0"), [{ received: 8000, sent: 16000 }]);
});

test("counters that ran backwards are another port's: no rate below 0", () => {
  const history = withSample(withSample(noHistory, sample(10, 1000, {})), sample(12, 10, {}));
  assert.deepEqual(history.rates.get("vnet0"), [{ received: 0, sent: 0 }]);
});

test("a drop is shown once: at the port, or at the gateway", () => {
  const history = withSample(
    withSample(noHistory, sample(1, 0, { inbound: 2 })),
    sample(2, 0, { inbound: 6 }, 3),
  );
  assert.deepEqual(history.drops, [
    { where: "vnet0", kind: "port", reason: "inbound", packets: 6, perSecond: 4 },
    { where: "lab", kind: "network", reason: "isolated", packets: 3, perSecond: 3 },
  ]);
});

test("only so many samples are kept", () => {
  let history = noHistory;
  for (let n = 0; n < KEPT + 9; n++) history = withSample(history, sample(n, n, {}));
  assert.equal(history.rates.get("vnet0")?.length, KEPT);
});

test("rates have three digits and a unit", () => {
  assert.deepEqual([0, 999, 1500, 123456, 9.87e9].map(bitRate), [
    "0 bit/s",
    "999 bit/s",
    "1.5 kbit/s",
    "123 kbit/s",
    "9.9 Gbit/s",
  ]);
});

test("every drop reason has a remedy, and no other word has", () => {
  assert.deepEqual(Object.keys(remedies).sort(), Object.keys(meanings).sort());
});

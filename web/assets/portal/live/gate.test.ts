import { beforeEach, expect, test } from "vitest";

import { Gate } from "./gate.ts";
import type { LiveEvent } from "./protocol.ts";

let applied: number[];
let gate: Gate;

const event = (seq: number): LiveEvent => ({ seq, kind: "comment.posted", payload: {}, client_id: null });

beforeEach(() => {
  applied = [];
  gate = new Gate({ epoch: "e", seq: 3 }, ({ seq }) => applied.push(seq));
});

test("each event passes once and in order, however often it comes", () => {
  for (const seq of [2, 3, 4, 4, 5, 3, 6]) {
    expect(gate.take(event(seq))).toBe(true);
  }
  expect([applied, gate.cursor]).toEqual([[4, 5, 6], { epoch: "e", seq: 6 }]);
});

test("an event after a missing one is not taken, and does not move the place to resume after", () => {
  expect([gate.take(event(4)), gate.take(event(6)), applied, gate.cursor.seq]).toEqual([true, false, [4], 4]);
});

test("an event that cannot be shown is not asked for again", () => {
  gate = new Gate({ epoch: "e", seq: 3 }, () => {
    throw new Error("broken");
  });
  expect(() => gate.take(event(4))).toThrow("broken");
  expect(gate.cursor.seq).toBe(4);
});

test("after a reset the counters are those of the new log", () => {
  gate.restart({ epoch: "f", seq: 1 });
  expect([gate.take(event(2)), gate.cursor, applied]).toEqual([true, { epoch: "f", seq: 2 }, [2]]);
});

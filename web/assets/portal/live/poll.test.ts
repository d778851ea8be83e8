import { beforeEach, expect, onTestFinished, test, vi } from "vitest";

import { Network, type Request } from "../../testing/network.ts";
import { Gate } from "./gate.ts";
import { Poll } from "./poll.ts";

let network: Network;
let applied: number[];
let heard: string[];
let gate: Gate;
let poll: Poll;

const asked = (): string[] => network.requests.map(({ url }) => url.searchParams.get("wait") ?? "");
const last = (): Request => network.requests.at(-1) as Request;
const event = (seq: number) => ({ seq, kind: "comment.posted", payload: {}, client_id: null });

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

async function answer(status: number, body?: unknown, headers?: Record<string, string>): Promise<void> {
  last().answer(status, body, headers);
  await pass(0);
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  network = new Network();
  network.install();
  applied = [];
  heard = [];
  gate = new Gate({ epoch: "e", seq: 3 }, ({ seq }) => applied.push(seq));
  poll = new Poll("/events", gate, {
    changed: (isAnswered) => heard.push(isAnswered ? "answered" : "silent"),
    reset: () => heard.push("reset"),
    gone: () => heard.push("gone"),
  });
  poll.start();
});

test("a short request finds out whether the server answers, and those after it wait for events", async () => {
  expect([last().url.search, last().headers["if-none-match"]]).toEqual(["?since=3&epoch=e&wait=0", 'W/"e-3"']);
  await answer(304);
  expect([asked(), heard]).toEqual([["0", "25"], ["answered"]]);
  await pass(22_000);
  await answer(200, { epoch: "e", head: 5, events: [event(4), event(5)] });
  expect([applied, last().url.searchParams.get("since")]).toEqual([[4, 5], "5"]);
  await pass(24_000);
  await answer(204);
  expect(asked()).toEqual(["0", "25", "25", "25"]);
});

test("a server that ends answers at once, and is not asked in the same moment by all it had", async () => {
  await answer(304);
  await answer(204);
  expect(asked().length).toBe(2);
  await pass(1000);
  expect(asked()).toEqual(["0", "25", "25"]);
});

test("a page that is hidden asks every half minute without waiting, and at once when it is seen", async () => {
  await answer(304);
  const parked = last();
  network.isHidden = true;
  poll.hurry();
  expect([parked.isAborted, asked().at(-1)]).toEqual([true, "0"]);
  await answer(304);
  await pass(29_000);
  expect(asked().length).toBe(3);
  await pass(1000);
  await answer(304);
  network.isHidden = false;
  poll.hurry();
  await answer(304);
  expect(asked().slice(3)).toEqual(["0", "0", "25"]);
});

test("where requests that wait fail, short ones bring the events for a minute", async () => {
  await answer(304);
  last().fail();
  await pass(500);
  for (let turn = 0; turn < 11; turn += 1) {
    await answer(304);
    await pass(5000);
  }
  expect([new Set(asked().slice(2)), heard.includes("silent")]).toEqual([new Set(["0"]), false]);
  await answer(304);
  expect(asked().at(-1)).toBe("25");
});

test("a server that is away is asked less and less often, and that is said from the second failure on", async () => {
  last().fail();
  await pass(500);
  expect([asked().length, heard]).toEqual([2, []]);
  for (const delay of [3750, 7500, 15_000, 30_000, 45_000, 45_000]) {
    last().fail();
    const before = asked().length;
    await pass(delay - 1);
    expect([asked().length, heard.at(-1)]).toEqual([before, "silent"]);
    await pass(1);
    expect(asked().length).toBe(before + 1);
  }
  await answer(304);
  expect(heard.at(-1)).toBe("answered");
});

test("a crowded server says when to come back", async () => {
  await answer(503, {}, { "retry-after": "7" });
  await pass(6999);
  expect(asked().length).toBe(1);
  await pass(1);
  expect(asked()).toEqual(["0", "0"]);
});

test("a missing event is asked for again, and when it does not come everything is", async () => {
  for (let turn = 0; turn < 2; turn += 1) {
    await answer(200, { epoch: "e", head: 6, events: [event(5)] });
    expect(last().url.searchParams.get("since")).toBe("3");
  }
  await answer(200, { epoch: "e", head: 6, events: [event(5)] });
  expect([heard.at(-1), applied, poll.isRunning]).toEqual(["reset", [], false]);
});

test.each([
  [409, "reset"],
  [404, "gone"],
  [410, "gone"],
])("the status %i ends it: %s", async (status, end) => {
  await answer(status);
  await pass(600_000);
  expect([heard, asked().length]).toEqual([[end], 1]);
});

test("stopped it forgets the answer that is on its way", async () => {
  const parked = last();
  poll.stop();
  parked.answer(200, { epoch: "e", head: 4, events: [event(4)] });
  await pass(600_000);
  expect([applied, asked().length, parked.isAborted]).toEqual([[], 1, true]);
});

test("a request that is neither answered nor refused is given up", async () => {
  await pass(15_000);
  expect(last().isAborted).toBe(true);
  await pass(500);
  expect(asked().length).toBe(2);
});

test("only two pages of a browser hold a request, and the others ask every few seconds", async () => {
  let taken = ["events-1", "events-2"];
  const request = async (name: string, _: LockOptions, act: (lock: object | null) => Promise<boolean>) =>
    act(taken.includes(name) ? null : { name });
  Object.defineProperty(window.navigator, "locks", { value: { request }, configurable: true });
  onTestFinished(() => {
    Reflect.deleteProperty(window.navigator, "locks");
  });
  await answer(304);
  await answer(304);
  expect(asked()).toEqual(["0", "0"]);
  taken = ["events-1"];
  await pass(5000);
  expect(asked()).toEqual(["0", "0", "25"]);
});

test("a browser that refuses locks asks on", async () => {
  const request = () => Promise.reject(new DOMException("not allowed in this context", "SecurityError"));
  Object.defineProperty(window.navigator, "locks", { value: { request }, configurable: true });
  onTestFinished(() => {
    Reflect.deleteProperty(window.navigator, "locks");
  });
  await answer(304);
  await pass(0);
  expect(asked()).toEqual(["0", "25"]);
});

test("an answer that is not of the portal is none, and the next request is sent", async () => {
  await answer(200, { login: "required" });
  await pass(1000);
  expect([asked(), applied]).toEqual([["0", "0"], []]);
});

import { beforeEach, expect, test, vi } from "vitest";

import { endListenersWithTest } from "../../testing/browser.ts";
import { type Connection, Poller } from "./polling.ts";

interface Call {
  etag: string | undefined;
  answer(status: number, body?: string, etag?: string): void;
  fail(): void;
}

let calls: Call[];
let applied: string[];
let shown: Connection[];
let poller: Poller;
let isHidden: boolean;
let isOnline: boolean;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  [calls, applied, shown, isHidden, isOnline] = [[], [], [], false, true];
  vi.spyOn(document, "hidden", "get").mockImplementation(() => isHidden);
  vi.stubGlobal("fetch", (_: string, init: { headers: Record<string, string> }) => {
    return new Promise<Response>((resolve, reject) => {
      calls.push({
        etag: init.headers["if-none-match"],
        answer: (status, body, etag = '"1"') =>
          resolve(new Response(status === 304 ? null : (body ?? ""), { status, headers: { etag } })),
        fail: () => reject(new TypeError("no network")),
      });
    });
  });
  vi.spyOn(window.navigator, "onLine", "get").mockImplementation(() => isOnline);
  endListenersWithTest();
  poller = new Poller(
    "/t",
    (html) => applied.push(html),
    (connection) => shown.push(connection),
  );
  poller.start();
});

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

test("every five seconds it asks by the tag of what it has, and applies what is new", async () => {
  expect(shown).toEqual(["live"]);
  await pass(5000);
  calls[0]?.answer(200, "<one>", '"a"');
  await pass(5000);
  expect(calls[1]?.etag).toBe('"a"');
  calls[1]?.answer(304);
  await pass(5000);
  expect([calls.length, applied, shown.at(-1)]).toEqual([3, ["<one>"], "live"]);
});

test("the whole thread is asked for without the tag, also when it is the same", async () => {
  await pass(5000);
  calls[0]?.answer(200, "<one>", '"a"');
  await pass(0);
  void poller.refreshAll();
  expect(calls[1]?.etag).toBe(undefined);
  calls[1]?.answer(200, "<one>", '"a"');
  await pass(5000);
  expect([applied, calls[2]?.etag]).toEqual([["<one>", "<one>"], '"a"']);
});

test("nobody looks: it asks every half minute, and at once when somebody looks again", async () => {
  isHidden = true;
  document.dispatchEvent(new Event("visibilitychange"));
  await pass(29_000);
  expect(calls.length).toBe(0);
  await pass(1000);
  expect(calls.length).toBe(1);
  calls[0]?.answer(304);
  await pass(0);
  isHidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  expect(calls.length).toBe(2);
});

test("while the server has trouble it asks less and less often, and says so", async () => {
  for (const delay of [5000, 10_000, 20_000, 40_000, 60_000, 60_000]) {
    const before = calls.length;
    await pass(delay - 1);
    expect(calls.length).toBe(before);
    await pass(1);
    calls.at(-1)?.answer(503);
    await pass(0);
  }
  expect(shown.at(-1)).toBe("paused");
  await pass(60_000);
  calls.at(-1)?.answer(304);
  await pass(5000);
  expect([shown.at(-1), calls.length]).toEqual(["live", 8]);
});

test("offline nothing is asked, and with the connection it asks at once", async () => {
  isOnline = false;
  window.dispatchEvent(new Event("offline"));
  await pass(120_000);
  expect([calls.length, shown.at(-1)]).toEqual([0, "offline"]);
  isOnline = true;
  window.dispatchEvent(new Event("online"));
  expect(calls.length).toBe(1);
});

test("an answer that comes while a comment is being sent is not applied", async () => {
  await pass(5000);
  let finish = (): void => undefined;
  const act = poller.pauseDuring(() => new Promise<void>((resolve) => (finish = resolve)));
  calls[0]?.answer(200, "<stale>");
  await pass(60_000);
  expect([applied, calls.length]).toEqual([[], 1]);
  finish();
  await act;
  await pass(5000);
  expect(calls.length).toBe(2);
});

test("a link that opens nothing any more ends it", async () => {
  await pass(5000);
  calls[0]?.answer(404);
  await pass(600_000);
  expect([calls.length, shown.at(-1)]).toEqual([1, "gone"]);
});

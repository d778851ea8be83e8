import { beforeEach, expect, test, vi } from "vitest";

import { endListenersWithTest } from "../../testing/browser.ts";
import { Network, type Request } from "../../testing/network.ts";
import { Refresher } from "./refresher.ts";

let network: Network;
let applied: string[];
let heard: string[];
let shown: number;
let refresher: Refresher;

const count = (): number => network.requests.length;
const last = (): Request => network.requests.at(-1) as Request;

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** Answers with the part as it is after an event. */
async function answer(seq: number): Promise<void> {
  shown = seq;
  last().answer(200, `<${seq}>`, { etag: `"${seq}"` });
  await pass(0);
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  endListenersWithTest();
  network = new Network();
  network.install();
  [applied, heard, shown] = [[], [], 3];
  refresher = new Refresher({
    address: "/thread",
    headers: { "x-portal-refresh": "1" },
    apply: (html) => {
      const isPart = html.startsWith("<");
      applied.push(...(isPart ? [html] : []));
      return isPart;
    },
    shows: (seq) => shown >= seq,
    stuck: (isStuck) => heard.push(isStuck ? "stuck" : "well"),
    gone: () => heard.push("gone"),
  });
});

test("an event has the part fetched by the tag of what is there; one that it shows already does not", async () => {
  refresher.ask(3);
  expect(count()).toBe(0);
  refresher.ask(4);
  expect(last().headers).toEqual({ accept: "text/html", "x-portal-refresh": "1" });
  await answer(4);
  refresher.ask(4);
  refresher.ask(5);
  expect([count(), last().headers["if-none-match"]]).toEqual([2, '"4"']);
});

test("events that come during a request cost one more, unless it brings them", async () => {
  refresher.ask(4);
  refresher.ask(5);
  refresher.ask(6);
  await answer(4);
  await pass(50);
  expect(count()).toBe(2);
  refresher.ask(7);
  await answer(7);
  await pass(60_000);
  expect([count(), applied]).toEqual([2, ["<4>", "<7>"]]);
});

test("a server that lacks an event is asked for it a few times", async () => {
  refresher.ask(4);
  for (let turn = 0; turn < 10; turn += 1) {
    last().answer(304);
    await pass(60_000);
  }
  expect([count(), heard]).toEqual([7, []]);
  refresher.ask(5);
  expect(count()).toBe(8);
});

test("a part that cannot be fetched is fetched later, and that it is out of date is said", async () => {
  refresher.ask(4);
  for (const delay of [750, 1500, 3000, 6000, 12_000, 24_000, 45_000, 45_000]) {
    last().answer(503);
    const before = count();
    await pass(delay - 1);
    expect(count()).toBe(before);
    await pass(1);
    expect(count()).toBe(before + 1);
  }
  expect(heard).toEqual(["stuck"]);
  await answer(4);
  expect(heard).toEqual(["stuck", "well"]);
});

test("a page of somebody else's is not the part: it is asked for again", async () => {
  refresher.ask(4);
  last().answer(200, "Sign in to this network", { etag: '"foreign"' });
  await pass(750);
  expect([applied, count(), last().headers["if-none-match"]]).toEqual([[], 2, undefined]);
  await answer(4);
  expect(applied).toEqual(["<4>"]);
});

test("with the connection comes what was missed", async () => {
  refresher.ask(4);
  last().fail();
  await pass(0);
  network.setOnline(true);
  expect(count()).toBe(2);
  await answer(4);
  network.setOnline(true);
  expect(count()).toBe(2);
});

test("while a comment is being sent nothing is applied, and afterwards what was asked for meanwhile", async () => {
  refresher.ask(4);
  let finish = (): void => undefined;
  const act = refresher.pauseDuring(() => new Promise<void>((resolve) => (finish = resolve)));
  await answer(4);
  refresher.ask(5);
  await pass(60_000);
  expect([applied, count()]).toEqual([[], 1]);
  finish();
  await act;
  await pass(0);
  expect(count()).toBe(2);
});

test("what was to be fetched while a comment was being sent is fetched afterwards, though no event asks for it", async () => {
  let finish = (): void => undefined;
  const act = refresher.pauseDuring(() => new Promise<void>((resolve) => (finish = resolve)));
  expect(await refresher.refreshAll()).toBe(false);
  finish();
  await act;
  await pass(0);
  await answer(3);
  await pass(60_000);
  expect([applied, count()]).toEqual([["<3>"], 1]);
});

test("the newest request counts, and its caller learns whether the part could be fetched", async () => {
  refresher.ask(4);
  const stale = last();
  const refreshed = refresher.refresh();
  stale.answer(200, "<stale>");
  await answer(4);
  expect([await refreshed, applied]).toEqual([true, ["<4>"]]);
  const all = refresher.refreshAll();
  expect(last().headers["if-none-match"]).toBe(undefined);
  last().answer(500);
  expect(await all).toBe(false);
});

test("a link that opens nothing any more ends it", async () => {
  refresher.ask(4);
  last().answer(404);
  await pass(600_000);
  expect([await refresher.refresh(), count(), heard]).toEqual([false, 1, ["gone"]]);
});

import { beforeEach, expect, test, vi } from "vitest";

import { endListenersWithTest } from "../../testing/browser.ts";
import { type FakeSocket, Network } from "../../testing/network.ts";
import { Gate } from "./gate.ts";
import type { Cursor } from "./protocol.ts";
import { Supervisor } from "./supervisor.ts";

const HUBS = ["ws://hub.example:8011/realtime", "ws://hub.example:8012/realtime"];

let network: Network;
let applied: number[];
let shown: string[];
let refreshed: (Cursor | undefined)[];
let refreshes: number;
let gate: Gate;
let supervisor: Supervisor;
let urls: string[];

const hub = (): FakeSocket => network.sockets.at(-1) as FakeSocket;
const polls = (): number => network.to("/events").length;
const event = (seq: number) => ({ seq, kind: "comment.posted", payload: {}, client_id: null });

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

/** Answers the newest request for a ticket. */
async function giveTicket(status = 200): Promise<void> {
  const body = { ticket: `t${network.to("/ticket").length}`, invoice: "i", urls, renew_after_s: 200 };
  network.to("/ticket").at(-1)?.answer(status, body);
  await pass(0);
}

async function openSocket(): Promise<FakeSocket> {
  await giveTicket();
  hub().hello(gate.cursor.epoch);
  await pass(0);
  return hub();
}

async function answerPoll(status: number, body?: unknown): Promise<void> {
  network.to("/events").at(-1)?.answer(status, body);
  await pass(0);
}

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(0.5);
  endListenersWithTest();
  network = new Network();
  network.install();
  [applied, shown, refreshed, refreshes, urls] = [[], [], [], 0, HUBS];
  gate = new Gate({ epoch: "e", seq: 0 }, ({ seq }) => applied.push(seq));
  supervisor = new Supervisor({
    ticketAddress: "/ticket",
    eventsAddress: "/events",
    gate,
    refreshAll: () => {
      refreshes += 1;
      return Promise.resolve(refreshed.shift());
    },
    show: (connection) => {
      if (shown.at(-1) !== connection) {
        shown.push(connection);
      }
    },
  });
  supervisor.start();
});

test("a page is live by a socket, and polls nothing", async () => {
  (await openSocket()).event(1);
  await pass(49_000);
  expect([shown, applied, polls()]).toEqual([["live"], [1], 0]);
});

test("a hub that does not answer is followed by the other one, and meanwhile the page polls", async () => {
  await giveTicket();
  const silent = hub();
  await pass(2500);
  await answerPoll(200, { events: [event(1)] });
  expect([shown, hub() !== silent, hub().url.host !== silent.url.host]).toEqual([["polling"], true, true]);
  const parked = network.to("/events").at(-1);
  hub().hello();
  hub().event(1);
  hub().event(2);
  await pass(30_000);
  expect([shown, applied, parked?.isAborted, polls()]).toEqual([["polling", "live"], [1, 2], true, 2]);
});

test("a hub that takes its time is waited for while the page polls", async () => {
  urls = HUBS.slice(0, 1);
  await giveTicket();
  await pass(2500);
  await answerPoll(304);
  await pass(7000);
  hub().hello();
  expect([shown, network.sockets.length]).toEqual([["polling", "live"], 1]);
});

test("what a network's sign-in page answers is no ticket: the page polls, and asks for one again", async () => {
  network.to("/ticket").at(-1)?.answer(200, { login: "required" });
  await pass(0);
  await answerPoll(304);
  await pass(5000);
  await openSocket();
  expect(shown).toEqual(["polling", "live"]);
});

test("where sockets are blocked the page polls, and tries a socket less and less often until one opens", async () => {
  await giveTicket();
  hub().end();
  await pass(0);
  hub().end();
  await pass(0);
  await answerPoll(304);
  expect([network.sockets.length, shown]).toEqual([2, ["polling"]]);
  for (const delay of [3750, 6500, 14_000]) {
    const before = network.sockets.length;
    await pass(delay - 1);
    expect(network.sockets.length).toBe(before);
    await pass(1);
    hub().end();
    await pass(0);
    hub().end();
    await answerPoll(204);
    await pass(1000);
  }
  await pass(29_000);
  hub().hello();
  expect([shown, network.to("/ticket").length]).toEqual([["polling", "live"], 1]);
});

test("a hub that is killed is replaced by the other without a word, from where the reader is", async () => {
  const killed = await openSocket();
  killed.event(1);
  await pass(40_000);
  killed.end(1006);
  await pass(500);
  expect([hub().url.host !== killed.url.host, hub().url.searchParams.get("since")]).toEqual([true, "1"]);
  hub().hello();
  hub().event(2);
  expect([applied, shown, polls(), network.to("/ticket").length]).toEqual([[1, 2], ["live"], 0, 1]);
});

test("connections that end again and again give way to polling", async () => {
  await openSocket();
  for (let turn = 0; turn < 3; turn += 1) {
    hub().end(4008);
    await pass(500);
    hub().hello();
    await pass(0);
  }
  hub().end(4008);
  await answerPoll(304);
  expect(shown).toEqual(["live", "polling"]);
});

test("told to back off, the page polls and does not come back at once", async () => {
  (await openSocket()).end(4029);
  await answerPoll(304);
  await pass(3000);
  expect([network.sockets.length, shown]).toEqual([1, ["live", "polling"]]);
});

test("before a hub ends the reader has gone over to the other, and misses nothing in between", async () => {
  const ending = await openSocket();
  ending.send("drain", { after_ms: 800 });
  await pass(800);
  ending.event(1);
  hub().hello();
  expect([ending.closedWith, hub() !== ending]).toEqual([1000, true]);
  hub().event(1);
  hub().event(2);
  expect([applied, shown]).toEqual([[1, 2], ["live"]]);
});

test("where the only hub ends, the page polls until it is back, and then has one connection", async () => {
  urls = HUBS.slice(0, 1);
  const ending = await openSocket();
  ending.send("drain", { after_ms: 100 });
  await pass(100);
  hub().end(4012);
  await pass(0);
  ending.end(4012);
  await pass(500);
  hub().end();
  await pass(0);
  await answerPoll(304);
  await pass(20_000);
  hub().hello();
  const { length } = network.sockets;
  await pass(40_000);
  expect([shown, network.sockets.length]).toEqual([["live", "polling", "live"], length]);
});

test("before its ticket expires a connection is replaced by one with another", async () => {
  const old = await openSocket();
  for (let beat = 0; beat < 10; beat += 1) {
    await pass(20_000);
    old.send("heartbeat", { head: 0 });
  }
  expect(network.to("/ticket").length).toBe(2);
  await openSocket();
  expect([hub().protocols[1], old.closedWith, shown]).toEqual(["ticket.t2", 1000, ["live"]]);
});

test("an expired ticket is replaced at once; one that no hub takes leaves the page polling", async () => {
  (await openSocket()).end(4001);
  await pass(500);
  await giveTicket();
  expect([hub().protocols[1], shown]).toEqual(["ticket.t2", ["live"]]);
  hub().end(4001);
  await pass(0);
  await answerPoll(304);
  expect(shown).toEqual(["live", "polling"]);
});

test("a missing event is asked for at once", async () => {
  (await openSocket()).event(2);
  await pass(0);
  expect(hub().url.searchParams.get("since")).toBe("0");
  hub().hello();
  hub().event(1);
  hub().event(2);
  expect([applied, shown]).toEqual([[1, 2], ["live"]]);
});

test("after a reset everything is fetched, again until it comes, and followed from there", async () => {
  refreshed = [undefined, { epoch: "f", seq: 7 }];
  (await openSocket()).end(4009);
  await pass(500);
  expect(refreshes).toBe(1);
  await pass(3750);
  expect([refreshes, gate.cursor]).toEqual([2, { epoch: "f", seq: 7 }]);
  expect(hub().url.search).toBe("?invoice=i&since=7&epoch=f");
  hub().hello("f");
  expect(shown).toEqual(["live"]);
});

test("where there is no hub the page polls, and what a poll resets is followed from its new place", async () => {
  [urls, refreshed] = [[], [{ epoch: "f", seq: 1 }]];
  await giveTicket();
  await answerPoll(409);
  await pass(500);
  await answerPoll(304);
  expect([refreshes, network.to("/events").at(-1)?.url.search]).toEqual([1, "?since=1&epoch=f&wait=25"]);
  expect([shown, network.sockets.length]).toEqual([["polling"], 0]);
});

test("a hub that resets before it is open is as good as one that does later", async () => {
  refreshed = [{ epoch: "f", seq: 1 }];
  await giveTicket();
  hub().end(4009);
  await pass(500);
  expect([refreshes, hub().url.searchParams.get("epoch"), shown]).toEqual([1, "f", []]);
});

test("offline nothing is asked, and with the connection the page is live at once", async () => {
  const old = await openSocket();
  network.setOnline(false);
  await pass(600_000);
  expect([shown, old.closedWith, network.requests.length]).toEqual([["live", "offline"], 1000, 1]);
  network.setOnline(true);
  await openSocket();
  expect(shown).toEqual(["live", "offline", "live"]);
});

test("a server that is away is said to be, and a socket that opens says the opposite", async () => {
  network.to("/ticket").at(-1)?.fail();
  await pass(0);
  await answerPoll(503);
  await pass(500);
  await answerPoll(503);
  expect(shown).toEqual(["offline"]);
  await pass(3750);
  await openSocket();
  expect(shown).toEqual(["offline", "live"]);
});

test("a live page whose parts cannot be fetched is not up to date, and says so", async () => {
  await openSocket();
  supervisor.reportStuck(true);
  supervisor.reportStuck(false);
  expect(shown).toEqual(["live", "offline", "live"]);
});

test("a hidden page keeps its socket; one that polls tries a socket when it is seen", async () => {
  const old = await openSocket();
  network.setHidden(true);
  network.setHidden(false);
  expect([old.closedWith, polls(), network.sockets.length]).toEqual([undefined, 0, 1]);
  old.end(4029);
  await answerPoll(304);
  network.setHidden(true);
  await answerPoll(304);
  network.setHidden(false);
  await pass(0);
  expect(network.sockets.length).toBe(2);
});

test("a socket that died while the device slept is replaced when the page is seen", async () => {
  const old = await openSocket();
  vi.setSystemTime(Date.now() + 49_000);
  network.setHidden(false);
  expect(old.closedWith).toBe(undefined);
  vi.setSystemTime(Date.now() + 2000);
  network.setHidden(false);
  await pass(500);
  hub().hello();
  expect([old.closedWith, hub() !== old, shown]).toEqual([1000, true, ["live"]]);
});

test("a page in the browser's memory has no connection, and gets one when it comes back", async () => {
  const old = await openSocket();
  window.dispatchEvent(new Event("pagehide"));
  expect(old.closedWith).toBe(1000);
  const shownAgain = Object.assign(new Event("pageshow"), { persisted: true });
  window.dispatchEvent(shownAgain);
  await pass(0);
  hub().hello();
  expect([network.sockets.length, shown]).toEqual([2, ["live"]]);
});

test.each([
  ["the ticket", () => giveTicket(404)],
  ["the hub", async () => (await openSocket()).end(4503)],
  ["a hub before it is open", () => giveTicket().then(() => hub().end(4504))],
])("a link that opens nothing any more ends everything: %s says so", async (_, end) => {
  await end();
  await pass(0);
  const { length } = network.requests;
  network.setOnline(true);
  await pass(600_000);
  expect([shown.at(-1), network.requests.length]).toEqual(["gone", length]);
});

import { beforeEach, expect, test, vi } from "vitest";

import { type FakeSocket, Network } from "../../testing/network.ts";
import { Gate } from "./gate.ts";
import { Socket } from "./socket.ts";
import type { Ticket } from "./tickets.ts";

const TICKET: Ticket = { text: "abc", invoice: "i", urls: [], renewAt: 0 };

let network: Network;
let applied: number[];
let heard: string[];
let hub: FakeSocket;
let socket: Socket;

const listener = {
  opened: () => heard.push("opened"),
  drain: (_: Socket, afterMs: number) => heard.push(`drain ${afterMs}`),
  ended: (_: Socket, end: string) => heard.push(end),
};

function connect(): void {
  heard = [];
  applied = [];
  const gate = new Gate({ epoch: "e", seq: 3 }, ({ seq }) => applied.push(seq));
  socket = new Socket("ws://hub.example:8011/realtime", 2500, TICKET, gate, listener);
  hub = network.sockets.at(-1) as FakeSocket;
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

beforeEach(() => {
  vi.useFakeTimers();
  network = new Network();
  network.install();
  connect();
});

test("it asks for what comes after the cursor, with the ticket as a subprotocol", () => {
  expect(hub.url.href).toBe("ws://hub.example:8011/realtime?invoice=i&since=3&epoch=e");
  expect(hub.protocols).toEqual(["portal.v1", "ticket.abc"]);
});

test("it is open when the hub has answered, and hands each event to the gate", () => {
  hub.hello("e", 5);
  hub.event(4);
  hub.event(4);
  hub.event(5);
  expect([heard, applied]).toEqual([["opened"], [4, 5]]);
});

test("a hub that does not answer in time is lost", async () => {
  await pass(2499);
  expect(heard).toEqual([]);
  await pass(1);
  expect([heard, hub.closedWith]).toEqual([["lost"], 1000]);
});

test("one that says nothing for two heartbeats is dead; each frame is a sign of life", async () => {
  hub.hello();
  await pass(49_000);
  hub.send("heartbeat", { head: 3 });
  await pass(49_000);
  expect(heard).toEqual(["opened"]);
  await pass(1000);
  expect(heard).toEqual(["opened", "lost"]);
});

test.each(["event", "heartbeat"])("a missing event is noticed by the next %s", (type) => {
  hub.hello();
  if (type === "event") {
    hub.event(5);
  } else {
    hub.send("heartbeat", { head: 4 });
  }
  expect([heard, applied, hub.closedWith]).toEqual([["opened", "gap"], [], 1000]);
});

test.each([
  [4001, "ticket"],
  [4008, "slow"],
  [4009, "reset"],
  [4012, "drain"],
  [4029, "busy"],
  [4503, "gone"],
  [4504, "gone"],
  [1006, "lost"],
  [1001, "lost"],
])("the close code %i means: %s", (code, end) => {
  hub.end(code);
  hub.end(1006);
  expect(heard).toEqual([end]);
});

test("another log is a reset, said by a frame or by the hello of another epoch", () => {
  hub.send("reset", { epoch: "f", head: 0 });
  expect(heard).toEqual(["reset"]);
  connect();
  hub.hello("f");
  expect(heard).toEqual(["reset"]);
});

test("a hub that will end says when to come back; frames of another time mean nothing, broken ones end it", () => {
  hub.hello();
  hub.send("drain", { after_ms: 700 });
  hub.send("weather");
  hub.onmessage?.({ data: "{" });
  expect(heard).toEqual(["opened", "drain 700", "lost"]);
});

test("a closed connection is silent, and so is an address that a browser refuses until it was made", async () => {
  socket.close();
  hub.hello();
  hub.event(4);
  hub.end();
  await pass(60_000);
  expect([heard, applied]).toEqual([[], []]);
  vi.stubGlobal("WebSocket", function refuse() {
    throw new DOMException("mixed content", "SecurityError");
  });
  connect();
  expect(heard).toEqual([]);
  await pass(1);
  expect(heard).toEqual(["lost"]);
});

import { beforeEach, expect, test, vi } from "vitest";

import { endListenersWithTest } from "../../testing/browser.ts";
import { Network } from "../../testing/network.ts";
import { enhanceThread } from "../thread/thread.ts";
import { followInvoice } from "./follow.ts";
import { Trouble } from "./trouble.ts";

let network: Network;
let hurried: number;

const says = (): string => document.querySelector("[data-thread-says]")?.textContent ?? "";
const state = (): string | undefined => document.querySelector<HTMLElement>("[data-connection]")?.dataset["state"];

/** The page of the server after `seq` events. */
function write(seq: number, status = "Due", version = 1): string {
  return `<main class="layout" data-version="${version}"><div class="rail"><section class="summary">
    <p class="status"><span>${status}</span></p></section></div>
    <div data-changed hidden><p data-notice>It was changed.</p></div>
    <section class="thread" data-events="/events" data-ticket="/ticket" data-live="Live" data-offline="Offline"
      data-now="now" data-gone="Gone" data-status="Status: {status}" data-arrived="From {name}">
    <p data-connection data-state="polling"><span data-word></span></p>${writeThread(seq)}
    <p class="closed" data-composer="c"></p><p data-thread-says></p></section></main>`;
}

function writeThread(seq: number): string {
  const comment = `<ol data-comments><li id="c" data-comment="c" data-side="staff"><bdi class="name">Jo</bdi></li></ol>`;
  return `<div data-thread="/thread" data-epoch="e" data-seq="${seq}">${seq > 1 ? comment : ""}</div>`;
}

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

async function send(seq: number, kind: string, members: object = {}): Promise<void> {
  network.sockets.at(-1)?.event(seq, kind, members);
  await pass(0);
}

beforeEach(async () => {
  vi.useFakeTimers();
  endListenersWithTest();
  network = new Network();
  network.install();
  hurried = 0;
  window.history.replaceState(null, "", "/i/token");
  document.body.innerHTML = write(1);
  const trouble = new Trouble();
  const thread = enhanceThread(document, trouble.of("thread"));
  followInvoice(document, thread as NonNullable<typeof thread>, trouble, () => {
    hurried += 1;
  });
  network.to("/ticket")[0]?.answer(200, { ticket: "t", invoice: "i", urls: ["ws://hub.example"], renew_after_s: 200 });
  await pass(0);
  network.sockets[0]?.hello();
});

test("a comment has the thread fetched, and nothing else", async () => {
  expect([network.sockets[0]?.url.search, state()]).toEqual(["?invoice=i&since=1&epoch=e", "live"]);
  await send(2, "comment.posted", { payload: { comment_id: "c" } });
  network.to("/thread")[0]?.answer(200, writeThread(2));
  await pass(0);
  expect([document.querySelectorAll(".talk [data-comment], [data-thread] [data-comment]").length, says()]).toEqual([
    1,
    "From Jo",
  ]);
  await send(3, "thread.seen");
  expect([network.to("/thread").length, network.to("/i/token").length, hurried]).toEqual([2, 0, 0]);
});

test("a change of the status is shown in place and said, by a request that is no view", async () => {
  await send(2, "invoice.status_changed", { payload: { status: "void" } });
  const [request] = network.to("/i/token");
  expect(request?.headers["x-portal-refresh"]).toBe("1");
  request?.answer(200, write(2, "Void"));
  await pass(0);
  expect([document.querySelector(".status")?.textContent, says()]).toEqual(["Void", "Status: Void"]);
  expect(network.to("/thread")).toEqual([]);
});

test("a version that the paper does not show is said to be there; the one that it shows is not", async () => {
  await send(2, "invoice.version_added", { payload: { version: 1 } });
  network.to("/i/token")[0]?.answer(200, write(2));
  await pass(0);
  expect(document.querySelector("[data-changed]:not([hidden])")).toBe(null);
  await send(3, "invoice.version_added", { payload: { version: 2 } });
  network.to("/i/token")[1]?.answer(200, write(3, "Due", 2));
  await pass(0);
  expect([document.querySelector("[data-changed]:not([hidden])") !== null, says()]).toEqual([true, "It was changed."]);
});

test("a page that asks to sign in takes nothing off this one", async () => {
  await send(2, "invoice.status_changed", { payload: { status: "paid" } });
  network.to("/i/token")[0]?.answer(200, '<main class="narrow"><h1>Sign in</h1></main>');
  await pass(0);
  expect(document.querySelector("[data-changed]:not([hidden])")).toBe(null);
  expect([document.querySelector(".status")?.textContent?.trim(), says()]).toEqual(["Due", ""]);
});

test("a PDF that is ready is asked for, and an event of another time has the page fetched", async () => {
  await send(2, "pdf.ready", { payload: { version: 1, locale: "en" } });
  expect([hurried, network.requests.length]).toEqual([1, 1]);
  await send(3, "invoice.painted");
  expect(network.to("/i/token").length).toBe(1);
});

test("after a reset the page comes first, then the thread, and the log goes on from the page", async () => {
  network.sockets[0]?.end(4009);
  await pass(1000);
  expect(network.to("/thread").length).toBe(0);
  network.to("/i/token")[0]?.answer(200, write(5));
  await pass(0);
  network.to("/thread")[0]?.answer(200, writeThread(6));
  await pass(0);
  expect(network.sockets[1]?.url.searchParams.get("since")).toBe("5");
});

test("a thread that cannot be fetched is trouble, and one that is gone is the end", async () => {
  await send(2, "comment.posted");
  network.to("/thread")[0]?.answer(500);
  await pass(1000);
  network.to("/thread")[1]?.answer(500);
  await pass(0);
  expect(state()).toBe("offline");
  await pass(60_000);
  network.to("/thread")[2]?.answer(404);
  await pass(0);
  expect([state(), says()]).toEqual(["gone", "Gone"]);
});

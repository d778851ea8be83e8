import { beforeEach, expect, test, vi } from "vitest";

import { Viewer } from "./viewer.ts";

let frame: HTMLElement;
let viewer: Viewer;
let answers: (() => Promise<Response>)[];
let requests: number;

const state = (): string | undefined => frame.dataset["state"];
const advance = async (ms: number): Promise<void> => {
  await vi.advanceTimersByTimeAsync(ms);
};

const preparing = (afterS: number) => (): Promise<Response> =>
  Promise.resolve(new Response(null, { status: 202, headers: { "retry-after": String(afterS) } }));
const refuse = (): Promise<Response> => Promise.reject(new TypeError("no network"));
const wait = (): Promise<Response> => new Promise(() => undefined);

/** Answers with the beginning of a PDF whose rest never comes. */
const begin = (): Promise<Response> => {
  const body = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(30)) });
  return Promise.resolve(new Response(body, { headers: { "content-length": "120" } }));
};

beforeEach(() => {
  vi.useFakeTimers();
  document.body.innerHTML = `<div id="frame" data-address="/invoice.pdf"><div data-part="pages"></div>
    <div class="notices"><progress hidden></progress></div><button data-part="previous"></button>
    <input data-part="page"><span data-part="of"></span><button data-part="next"></button>
    <button data-part="smaller"></button><select data-part="size"></select><button data-part="larger"></button></div>`;
  frame = document.querySelector("#frame") as HTMLElement;
  answers = [];
  requests = 0;
  vi.stubGlobal("fetch", () => {
    requests += 1;
    return (answers.shift() ?? wait)();
  });
  viewer = new Viewer(frame);
});

test("a server that is silent for 2 s is said to prepare the PDF", async () => {
  void viewer.open();
  await advance(1999);
  expect(state()).toBe("loading");
  await advance(1);
  expect(state()).toBe("preparing");
});

test("a PDF that has begun to arrive is being loaded, however slowly, and its progress is shown", async () => {
  answers = [begin];
  void viewer.open();
  await advance(60_000);
  const bar = frame.querySelector("progress") as HTMLProgressElement;
  expect([state(), bar.hidden, bar.value, bar.max]).toEqual(["loading", false, 30, 120]);
});

test("a PDF in preparation is asked for again when the server said so", async () => {
  answers = [preparing(4)];
  void viewer.open();
  await advance(3999);
  expect([state(), requests]).toEqual(["preparing", 1]);
  await advance(1);
  expect(requests).toBe(2);
});

test("while a PDF is in preparation, five failures are retried in silence and the sixth is shown", async () => {
  answers = [preparing(1), refuse, refuse, refuse, refuse, refuse, refuse];
  void viewer.open();
  await advance(1000 + 4 * 3000);
  expect([state(), requests]).toEqual(["preparing", 6]);
  await advance(3000);
  expect([state(), requests]).toEqual(["failed", 7]);
});

test("a first failure is shown at once and is not retried", async () => {
  answers = [refuse];
  void viewer.open();
  await advance(60_000);
  expect([state(), requests]).toEqual(["failed", 1]);
});

test("offline, the PDF is asked for again when the connection is back", async () => {
  vi.stubGlobal("navigator", { onLine: false });
  answers = [refuse];
  void viewer.open();
  await advance(0);
  expect(state()).toBe("offline");
  window.dispatchEvent(new Event("online"));
  expect([state(), requests]).toEqual(["loading", 2]);
});

test("closing ends waiting and retries", async () => {
  answers = [preparing(1)];
  void viewer.open();
  await advance(0);
  viewer.close();
  await advance(60_000);
  expect([state(), requests]).toEqual(["preparing", 1]);
});

test("what is no PDF is said to be broken", async () => {
  vi.useRealTimers();
  answers = [() => Promise.resolve(new Response("<html>"))];
  await viewer.open();
  expect(state()).toBe("broken");
});

test("a PDF that is said to be ready is asked for at once, and not a second time when it was due", async () => {
  answers = [preparing(60), wait];
  void viewer.open();
  await advance(0);
  expect(state()).toBe("preparing");
  viewer.hurry();
  expect(requests).toBe(2);
  viewer.hurry();
  await advance(60_000);
  expect(requests).toBe(2);
});

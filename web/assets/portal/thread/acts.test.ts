import { beforeEach, expect, test, vi } from "vitest";

import { actInPlace } from "./acts.ts";

interface Call {
  address: string;
  fields: Record<string, string>;
  answer(status: number, content?: object): void;
  fail(): void;
}

let calls: Call[];
let refreshed: number;
const get = <T extends Element = HTMLElement>(selector: string): T => document.querySelector(selector) as T;

beforeEach(() => {
  vi.useFakeTimers({ now: Date.parse("2026-03-16T12:00:00Z") });
  [calls, refreshed] = [[], 0];
  vi.stubGlobal("fetch", (address: string, init: { body: URLSearchParams }) => {
    return new Promise<Response>((resolve, reject) => {
      calls.push({
        address: new URL(address).pathname,
        fields: Object.fromEntries(init.body),
        answer: (status, content = {}) => resolve(new Response(JSON.stringify(content), { status })),
        fail: () => reject(new TypeError("no network")),
      });
    });
  });
  document.body.innerHTML = `<div data-thread><details class="act" open data-until="2026-03-16T12:00:20Z">
    <summary>Edit</summary><form action="/c/1/edit" data-act="edit"><textarea name="body">Hello</textarea>
    <p data-error="body"></p><button>Save</button></form></details></div>`;
  const thread = {
    pauseDuring: <T>(act: () => Promise<T>) => act(),
    refresh: async () => {
      refreshed += 1;
    },
  };
  actInPlace(get("div"), thread, (name) => name);
});

async function save(): Promise<void> {
  get<HTMLButtonElement>("button").click();
  await vi.advanceTimersByTimeAsync(0);
}

test("an act is posted once, closes its form and brings the thread up to date", async () => {
  await save();
  await save();
  expect(calls.map(({ address, fields }) => [address, fields["body"]])).toEqual([["/c/1/edit", "Hello"]]);
  calls[0]?.answer(200, { comment_id: "1" });
  await vi.advanceTimersByTimeAsync(0);
  expect([get<HTMLDetailsElement>("details").open, refreshed]).toEqual([false, 1]);
  expect(document.activeElement).toBe(get("summary"));
});

test.each([
  [
    (call: Call) => call.answer(409, { detail: "Conflict", errors: { body: "Five minutes only." } }),
    "Five minutes only.",
  ],
  [(call: Call) => call.answer(403, { detail: "Not allowed.", errors: {} }), "Not allowed."],
  [(call: Call) => call.fail(), "kept"],
  [(call: Call) => call.answer(503), "busy"],
  [(call: Call) => call.answer(429, { code: "http.throttled", detail: "Too many requests." }), "busy"],
  // Of a network's sign-in page.
  [(call: Call) => call.answer(200), "kept"],
])("a failure says why and keeps what was typed", async (fail, reason) => {
  await save();
  fail(calls[0] as Call);
  await vi.advanceTimersByTimeAsync(0);
  expect(get("[data-error]").textContent).toBe(reason);
  expect([get<HTMLDetailsElement>("details").open, get<HTMLTextAreaElement>("textarea").value]).toEqual([
    true,
    "Hello",
  ]);
  await save();
  expect(calls.length).toBe(2);
});

test("an edit is offered until its time is over, except under somebody's hands", () => {
  const details = get<HTMLDetailsElement>("details");
  vi.advanceTimersByTime(30_000);
  expect(details.hidden).toBe(false);
  details.open = false;
  vi.advanceTimersByTime(5000);
  expect(details.hidden).toBe(true);
});

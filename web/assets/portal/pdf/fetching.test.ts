import { beforeEach, expect, test, vi } from "vitest";

import { type FetchResult, fetchPdf } from "./fetching.ts";

let requests: [unknown, RequestInit | undefined][];
let answer: () => Promise<Response>;
let progress: [number, number][];

/** A body that arrives in parts, and breaks off after them when it is told to. */
function body(parts: string[], isBroken = false): ReadableStream {
  return new ReadableStream({
    pull: (controller) => {
      const part = parts.shift();
      if (part !== undefined) {
        controller.enqueue(new TextEncoder().encode(part));
      } else if (isBroken) {
        controller.error(new TypeError("terminated"));
      } else {
        controller.close();
      }
    },
  });
}

function respond(content: ReadableStream | null, status: number, headers: Record<string, string> = {}): void {
  answer = () => Promise.resolve(new Response(content, { status, headers }));
}

beforeEach(() => {
  requests = [];
  progress = [];
  vi.stubGlobal("fetch", (address: unknown, options?: RequestInit) => {
    requests.push([address, options]);
    return answer();
  });
});

function get(signal = new AbortController().signal): Promise<FetchResult> {
  return fetchPdf("/invoice.pdf", signal, (received, size) => progress.push([received, size]));
}

test("a PDF is returned whole, and its progress told as it arrives", async () => {
  respond(body(["%PDF", "-1.7"]), 200, { "content-length": "8" });
  const result = await get();
  expect(result.kind === "complete" && new TextDecoder().decode(result.bytes)).toBe("%PDF-1.7");
  expect(progress).toEqual([
    [0, 8],
    [4, 8],
    [8, 8],
  ]);
  expect(requests.map(([address, options]) => [address, options?.headers])).toEqual([
    ["/invoice.pdf", { accept: "application/pdf" }],
  ]);
});

test.each([{}, { "content-encoding": "gzip", "content-length": "4" }])(
  "with the headers %j the size is not known",
  async (headers) => {
    respond(body(["%PDF"]), 200, headers);
    await get();
    expect(progress).toEqual([
      [0, 0],
      [4, 0],
    ]);
  },
);

test.each<[number, Record<string, string>, FetchResult]>([
  [202, { "retry-after": "20" }, { kind: "preparing", afterS: 20 }],
  [202, {}, { kind: "preparing", afterS: 0 }],
  [503, { "retry-after": "0" }, { kind: "later", afterS: 0 }],
  [429, { "retry-after": "7" }, { kind: "later", afterS: 7 }],
  [500, { "retry-after": "soon" }, { kind: "later", afterS: 0 }],
  [404, {}, { kind: "gone" }],
  [403, {}, { kind: "failed" }],
])("status %i with %j is %j", async (status, headers, expected) => {
  respond(null, status, headers);
  expect(await get()).toEqual(expected);
  expect(progress).toEqual([]);
});

test("Retry-After may be a date", async () => {
  vi.useFakeTimers({ now: new Date("2026-03-16T12:00:00Z") });
  respond(null, 503, { "retry-after": "Mon, 16 Mar 2026 12:00:45 GMT" });
  expect(await get()).toEqual({ kind: "later", afterS: 45 });
});

test.each([
  [true, "failed"],
  [false, "offline"],
])("a connection that breaks in the middle, online: %s, is %s", async (onLine, kind) => {
  vi.stubGlobal("navigator", { onLine });
  respond(body(["%PDF"], true), 200, { "content-length": "8" });
  expect(await get()).toEqual({ kind });
});

test("only an abort rejects", async () => {
  const abort = new AbortController();
  answer = () => {
    abort.abort();
    return Promise.reject(abort.signal.reason);
  };
  await expect(get(abort.signal)).rejects.toBe(abort.signal.reason);
  answer = () => Promise.reject(new TypeError("no network"));
  expect(await get()).toEqual({ kind: "failed" });
});

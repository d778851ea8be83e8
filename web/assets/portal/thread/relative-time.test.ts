import { expect, test, vi } from "vitest";

import { keepTimesCurrent } from "./relative-time.ts";

const NOW = Date.parse("2026-03-16T12:00:00Z");

function show(iso: string): HTMLTimeElement {
  document.body.innerHTML = `<time datetime="${iso}" title="exact" data-relative>16 Mar, 12:00</time>`;
  keepTimesCurrent(document.body, "just now");
  return document.querySelector("time") as HTMLTimeElement;
}

test.each([
  ["2026-03-16T11:59:30Z", "just now"],
  // This device's clock is behind.
  ["2026-03-16T12:04:00Z", "just now"],
  ["2026-03-16T11:58:59Z", "1 minute ago"],
  ["2026-03-16T10:59:00Z", "1 hour ago"],
  ["2026-03-14T12:00:00Z", "2 days ago"],
  ["2026-03-01T12:00:00Z", "16 Mar, 12:00"],
])("%s is told as %s, and the exact time stays in the title", (iso, text) => {
  vi.useFakeTimers({ now: NOW });
  const time = show(iso);
  expect([time.textContent, time.title]).toEqual([text, "exact"]);
});

test("times are told anew while the page is open, and end as they were written", () => {
  vi.useFakeTimers({ now: NOW });
  const time = show("2026-03-16T12:00:00Z");
  vi.advanceTimersByTime(90_000);
  expect(time.textContent).toBe("1 minute ago");
  vi.setSystemTime(NOW + 8 * 86_400_000);
  vi.advanceTimersByTime(30_000);
  expect(time.textContent).toBe("16 Mar, 12:00");
});

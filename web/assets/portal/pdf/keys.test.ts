import { beforeEach, expect, test } from "vitest";

import { listenToKeys } from "./keys.ts";

let calls: (string | number)[][];
let pages: HTMLElement;

beforeEach(() => {
  calls = [];
  pages = document.createElement("div");
  listenToKeys(pages, {
    page: (by) => calls.push(["page", by]),
    step: (direction) => calls.push(["step", direction]),
    fit: () => calls.push(["fit"]),
  });
});

function press(key: string, options: KeyboardEventInit = {}): boolean {
  return !pages.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true, ...options }));
}

test("keys turn pages and change their size instead of scrolling", () => {
  const keys = ["ArrowRight", "ArrowLeft", "+", "=", "-", "0"];
  expect(keys.map((key) => press(key))).toEqual(keys.map(() => true));
  expect(calls).toEqual([["page", 1], ["page", -1], ["step", 1], ["step", 1], ["step", -1], ["fit"]]);
});

test("pages wider than their place are scrolled by the arrows", () => {
  Object.defineProperty(pages, "scrollWidth", { value: 900 });
  expect([press("ArrowRight"), press("ArrowLeft"), press("+")]).toEqual([false, false, true]);
  expect(calls).toEqual([["step", 1]]);
});

test("keys of the browser and all others are left alone", () => {
  expect([press("+", { ctrlKey: true }), press("0", { metaKey: true }), press("ArrowLeft", { altKey: true })]).toEqual([
    false,
    false,
    false,
  ]);
  expect([press("ArrowDown"), press("PageDown"), press("Home")]).toEqual([false, false, false]);
  expect(calls).toEqual([]);
});

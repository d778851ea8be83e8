import { beforeEach, expect, test } from "vitest";

import { type Choice, createChoice } from "./choice.ts";

let chosen: string[];
let choice: Choice;
let live: HTMLAnchorElement;
let pdf: HTMLAnchorElement;

beforeEach(() => {
  document.body.innerHTML = `<div id="group">
    <a href="#invoice" aria-current="true" data-shows="live">Live</a><a href="#pdf" data-shows="pdf">PDF</a></div>`;
  [live, pdf] = document.querySelectorAll("a") as unknown as [HTMLAnchorElement, HTMLAnchorElement];
  chosen = [];
  choice = createChoice(document.querySelector("#group") as HTMLElement, (option) => chosen.push(option));
  choice.mark("live");
});

test("links become radio buttons of which the chosen one is reached by Tab", () => {
  expect(document.querySelector("#group")?.getAttribute("role")).toBe("radiogroup");
  expect([live, pdf].map((each) => each.getAttribute("role"))).toEqual(["radio", "radio"]);
  expect([live, pdf].map((each) => [each.getAttribute("aria-checked"), each.tabIndex])).toEqual([
    ["true", 0],
    ["false", -1],
  ]);
  expect(live.hasAttribute("aria-current")).toBe(false);
  choice.mark("pdf");
  expect([live, pdf].map((each) => each.getAttribute("aria-checked"))).toEqual(["false", "true"]);
});

test("a click chooses and is not followed, and does not mark by itself", () => {
  const event = new MouseEvent("click", { bubbles: true, cancelable: true });
  pdf.dispatchEvent(event);
  expect([chosen, event.defaultPrevented, pdf.getAttribute("aria-checked")]).toEqual([["pdf"], true, "false"]);
});

test.each(["ctrlKey", "metaKey", "shiftKey", "altKey"])("a click with %s opens the link as a link", (key) => {
  const event = new MouseEvent("click", { cancelable: true, [key]: true });
  pdf.dispatchEvent(event);
  expect([chosen, event.defaultPrevented]).toEqual([[], false]);
});

test.each([
  ["ArrowRight", "pdf"],
  ["ArrowDown", "pdf"],
  ["ArrowLeft", "pdf"],
  [" ", "live"],
])("the key %j on the first of two chooses %s and focuses it", (key, option) => {
  live.focus();
  live.dispatchEvent(new KeyboardEvent("keydown", { key, cancelable: true }));
  expect(chosen).toEqual([option]);
  expect((document.activeElement as HTMLElement).dataset["shows"]).toBe(option);
});

test("other keys and keys of the browser choose nothing", () => {
  for (const event of [{ key: "a" }, { key: "ArrowRight", ctrlKey: true }, { key: "ArrowLeft", altKey: true }]) {
    live.dispatchEvent(new KeyboardEvent("keydown", event));
  }
  expect(chosen).toEqual([]);
});

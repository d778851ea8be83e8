import { beforeEach, expect, test } from "vitest";

import { PageParts } from "./page-parts.ts";

interface Content {
  state?: string;
  version?: number;
  amount?: string;
  items?: string;
  transfer?: boolean;
  isClosed?: boolean;
}

/** A page of the server. */
function write({ state = "due", version = 1, amount = "$10", items = "One", ...rest }: Content = {}): string {
  const transfer =
    rest.transfer === false ? "" : '<section class="transfer"><button data-copy="10">Copy</button></section>';
  const banner = rest.isClosed ? '<p class="banner">Void</p>' : "";
  return `<main class="layout" data-state="${state}" data-version="${version}" data-mode="live"><div class="rail">
    <section class="summary"><p class="status">${state}</p><p class="amount">${amount}</p></section>
    <div class="changed" data-changed hidden></div><div class="items">${items}</div>${transfer}
    <p class="talk-link"><a href="#thread">Comments</a></p></div>
    <section class="stage">${banner}<div class="sheet">${rest.isClosed ? '<p class="mark">Void</p>' : ""}<div class="paper"></div></div>
    <template data-viewer><div class="viewer"><div class="head"></div>${banner}<div class="pages"></div></div></template></section>
    <section class="thread"><textarea></textarea></section></main>
    ${rest.transfer === false ? "" : `<aside class="bar">${amount}</aside>`}<p class="announcer"></p>`;
}

const read = (content: Content): Document => new DOMParser().parseFromString(write(content), "text/html");
const get = (selector: string): HTMLElement | null => document.querySelector(selector);
const order = (selector: string): string[] => [...(get(selector)?.children ?? [])].map((each) => each.className);

let parts: PageParts;

beforeEach(() => {
  document.body.innerHTML = write();
  parts = new PageParts(document);
});

test("what has changed is put in place, and the rest is not touched", () => {
  const kept = [".transfer", ".items", "textarea", ".paper"].map(get);
  expect(parts.update(read({ state: "partly_paid", amount: "$4,000" }))).toBe(false);
  expect([get(".status")?.textContent, get(".bar")?.textContent, get("main")?.dataset["state"]]).toEqual([
    "partly_paid",
    "$4,000",
    "partly_paid",
  ]);
  expect([".transfer", ".items", "textarea", ".paper"].map(get)).toEqual(kept);
  expect(document.documentElement.style.getPropertyValue("--amount-length")).toBe("6");
});

test("what scripts did to a part that has not changed stays", () => {
  get("[data-copy]")?.setAttribute("data-state", "done");
  parts.update(read({ amount: "$11" }));
  expect(get("[data-copy]")?.dataset["state"]).toBe("done");
});

test("a focused button keeps the focus, and a text that is being typed is left alone", () => {
  const text = get("textarea") as HTMLTextAreaElement;
  text.focus();
  text.value = "Not finished";
  parts.update(read({ amount: "$11" }));
  expect([document.activeElement, text.value]).toEqual([text, "Not finished"]);
});

test("parts of a page that is not to be paid come and go, each in its place", () => {
  parts.update(read({ state: "void", transfer: false, isClosed: true }));
  expect([get(".transfer"), get(".bar")]).toEqual([null, null]);
  expect([order(".stage"), order(".sheet")]).toEqual([
    ["banner", "sheet", ""],
    ["mark", "paper"],
  ]);
  parts.update(read({}));
  expect([order(".rail"), order(".stage"), order("body")]).toEqual([
    ["summary", "changed", "items", "transfer", "talk-link"],
    ["sheet", ""],
    ["layout", "bar", "announcer"],
  ]);
});

test("the viewer says that an invoice is closed, whether it is open or not", () => {
  const template = get("template") as HTMLTemplateElement;
  template.after(template.content.cloneNode(true));
  parts.update(read({ isClosed: true }));
  expect([order(".stage > .viewer"), template.content.querySelectorAll(".banner").length]).toEqual([
    ["head", "banner", "pages"],
    1,
  ]);
  parts.update(read({}));
  expect([order(".stage > .viewer"), template.content.querySelector(".banner")]).toEqual([["head", "pages"], null]);
});

test("the items of another version are left to the reader; what is owed is not", () => {
  expect(parts.update(read({ version: 2, amount: "$12", items: "Two" }))).toBe(true);
  expect([get(".amount")?.textContent, get(".items")?.textContent, parts.version]).toEqual(["$12", "One", 1]);
});

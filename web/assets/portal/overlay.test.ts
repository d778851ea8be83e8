import { beforeEach, expect, test } from "vitest";

import { media, placeAt } from "../testing/browser.ts";
import { Overlay } from "./overlay.ts";

let overlay: Overlay;
let viewer: HTMLElement;
let closed: number;

const get = (selector: string): HTMLElement => document.querySelector(selector) as HTMLElement;

beforeEach(() => {
  document.body.innerHTML = `<header></header>
    <main><div class="rail"><button id="link"></button></div>
    <section class="stage"><div class="viewer" tabindex="-1"><button data-back></button></div></section></main>
    <p class="announcer"></p>`;
  viewer = get(".viewer");
  placeAt(viewer, 80, 700);
  closed = 0;
  media.change(true);
  overlay = new Overlay(get("main"), () => {
    closed += 1;
  });
});

test("on a phone only the viewer and what announces can be reached, and closing returns the focus", () => {
  get("#link").focus();
  overlay.show(viewer);
  const inert = [...document.querySelectorAll<HTMLElement>("body *")].filter((each) => each.inert);
  expect(inert.map((each) => each.localName + each.className)).toEqual(["header", "divrail"]);
  expect([viewer.getAttribute("role"), viewer.getAttribute("aria-modal")]).toEqual(["dialog", "true"]);
  expect(document.activeElement).toBe(get("[data-back]"));
  overlay.show(undefined);
  expect([...document.querySelectorAll<HTMLElement>("body *")].filter((each) => each.inert)).toEqual([]);
  expect(document.activeElement).toBe(get("#link"));
});

test("Escape in the viewer closes it on a phone only", () => {
  overlay.show(viewer);
  const press = (target: HTMLElement): void => {
    target.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  };
  press(get("[data-back]"));
  press(get("#link"));
  expect(closed).toBe(1);
  media.change(false);
  press(get("[data-back]"));
  expect(closed).toBe(1);
});

test("in a wide window the viewer is a region and the focus stays where it is", () => {
  media.change(false);
  get("#link").focus();
  overlay.show(viewer);
  expect([viewer.getAttribute("role"), viewer.hasAttribute("aria-modal")]).toEqual(["region", false]);
  expect(document.activeElement).toBe(get("#link"));
  expect(get(".rail").inert).toBe(false);
});

test("a viewer below the fold is scrolled to and focused when it opens", () => {
  media.change(false);
  placeAt(viewer, 700, 1500);
  const scrolled: (boolean | ScrollIntoViewOptions | undefined)[] = [];
  viewer.scrollIntoView = (options) => scrolled.push(options);
  get("#link").focus();
  overlay.show(viewer);
  expect([scrolled, document.activeElement]).toEqual([[{ block: "start" }], viewer]);
});

test("a phone that is turned keeps the focus in the viewer", () => {
  overlay.show(viewer);
  get("[data-back]").hidden = true;
  media.change(false);
  expect([viewer.getAttribute("role"), document.activeElement]).toEqual(["region", viewer]);
  media.change(true);
  expect(viewer.getAttribute("role")).toBe("dialog");
});

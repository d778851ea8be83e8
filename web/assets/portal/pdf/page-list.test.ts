import type { PDFDocumentProxy } from "pdfjs-dist/legacy/build/pdf.mjs";
import { beforeEach, expect, test } from "vitest";

import { eventually } from "../../testing/browser.ts";
import { PageList } from "./page-list.ts";

const HEIGHT = 100;
const WINDOW = 140;

let scroller: HTMLElement;
let drawn: number[];
let isBroken: boolean;

/** A PDF of blank pages that records which of them are drawn. */
function blankPdf(count: number): PDFDocumentProxy {
  const getPage = (number: number): unknown => ({
    view: [0, 0, 50, HEIGHT],
    rotate: 0,
    getViewport: ({ scale }: { scale: number }) => ({
      width: 50 * scale,
      height: HEIGHT * scale,
      scale,
      rotation: 0,
      rawDims: { pageWidth: 50, pageHeight: HEIGHT, pageX: 0, pageY: 0 },
    }),
    render: () => {
      drawn.push(number);
      const promise = isBroken ? Promise.reject(new Error("no memory")) : Promise.resolve();
      return { promise, cancel: () => undefined };
    },
    streamTextContent: () => new ReadableStream({ start: (controller) => controller.close() }),
    cleanup: () => undefined,
  });
  return { numPages: count, getPage: (number: number) => Promise.resolve(getPage(number)) } as PDFDocumentProxy;
}

/** Lays pages of one height below one another, which jsdom does not. */
function layOut(): void {
  Object.defineProperty(scroller, "clientHeight", { value: WINDOW });
  [...scroller.children].forEach((page, index) => {
    Object.defineProperty(page, "offsetTop", { value: index * HEIGHT });
    Object.defineProperty(page, "offsetHeight", { value: HEIGHT });
    Object.defineProperty(page, "offsetWidth", { value: 50 });
  });
}

async function open(count: number): Promise<PageList> {
  const pages = new PageList(scroller, blankPdf(count), (number) => `Page ${number}`);
  await pages.place();
  layOut();
  await pages.open();
  return pages;
}

const withDrawing = (): number[] =>
  [...scroller.children].flatMap((page, index) => (page.querySelector("canvas") === null ? [] : [index + 1]));

beforeEach(() => {
  scroller = document.createElement("div");
  document.body.append(scroller);
  drawn = [];
  isBroken = false;
  // jsdom has no canvas; what is drawn on it is tested in a browser.
  HTMLCanvasElement.prototype.getContext = () => null;
});

test("every page has its place and its label before any is drawn", async () => {
  const pages = new PageList(scroller, blankPdf(3), (number) => `Page ${number}`);
  await pages.place();
  expect([...scroller.children].map((each) => each.getAttribute("aria-label"))).toEqual(["Page 1", "Page 2", "Page 3"]);
  expect([pages.count, pages.width, drawn]).toEqual([3, 50, []]);
});

test("the pages in the window are drawn first, then those within a window's height, and no others", async () => {
  await open(9);
  await eventually(() => expect(scroller.querySelectorAll(".layer").length).toBe(9));
  expect(drawn).toEqual([1, 2, 3]);
  expect(withDrawing()).toEqual([1, 2, 3]);
});

test("scrolling draws what comes near and frees what is far away; text stays", async () => {
  const pages = await open(9);
  pages.goTo(7);
  await eventually(() => expect(withDrawing()).toEqual([5, 6, 7, 8, 9]));
  expect(drawn.slice(drawn.indexOf(7))[0]).toBe(7);
  await eventually(() => expect(scroller.querySelectorAll(".layer").length).toBe(9));
});

test("the page in view is the one that fills most of the window, or the one that was asked for", async () => {
  const pages = await open(9);
  const seen: number[] = [];
  pages.onPage = (number) => seen.push(number);
  expect(pages.page).toBe(1);
  pages.goTo(4);
  pages.goTo(99);
  expect([pages.page, seen]).toEqual([4, [4]]);
  scroller.scrollTop = 540;
  scroller.dispatchEvent(new Event("scroll"));
  await eventually(() => expect(pages.page).toBe(7));
});

test("closing frees all drawings, and opening again draws them again", async () => {
  const pages = await open(2);
  pages.close();
  expect(withDrawing()).toEqual([]);
  await pages.open();
  expect(withDrawing()).toEqual([1, 2]);
});

test("a page that cannot be drawn is reported and does not keep the viewer waiting", async () => {
  isBroken = true;
  let failures = 0;
  const pages = new PageList(scroller, blankPdf(2), String);
  pages.onFailure = () => {
    failures += 1;
  };
  await pages.place();
  layOut();
  await pages.open();
  expect([failures, withDrawing()]).toEqual([1, []]);
});

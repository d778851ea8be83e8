import { beforeEach, expect, test } from "vitest";

import { putOnScreen } from "../../testing/browser.ts";
import { announceArrivals } from "./arrivals.ts";

let announced: string[];
let arrive: (added: readonly HTMLElement[]) => void;
const pill = (): HTMLElement => document.querySelector("[data-pill]") as HTMLElement;

beforeEach(() => {
  document.body.innerHTML = `<p data-pill hidden><button></button></p>
    <li id="a" tabindex="-1"><bdi class="name">Jo</bdi></li><li id="b"><bdi class="name">Ben</bdi></li>
    <li id="own" data-own><bdi class="name">Ana</bdi></li>`;
  announced = [];
  const words = (name: string, values: object = {}): string => [name, ...Object.values(values)].join(" ");
  arrive = announceArrivals(pill(), words, (sentence) => announced.push(sentence));
});

const find = (id: string): HTMLElement => document.getElementById(id) as HTMLElement;

test("comments of others are announced, and counted on the pill while they are out of sight", () => {
  arrive([find("a")]);
  putOnScreen(find("a"), false);
  expect([announced, pill().hidden, pill().textContent]).toEqual([["arrived Jo"], false, "one"]);
  arrive([find("b"), find("own")]);
  putOnScreen(find("b"), false);
  expect([announced.at(-1), pill().textContent]).toEqual(["arrived Ben", "several 2"]);
});

test("the pill leads to the first one and is gone, and goes by itself when all were seen", () => {
  arrive([find("a")]);
  putOnScreen(find("a"), false);
  (pill().firstElementChild as HTMLElement).click();
  expect([pill().hidden, document.activeElement]).toEqual([true, find("a")]);
  arrive([find("b")]);
  putOnScreen(find("b"), false);
  putOnScreen(find("b"));
  expect(pill().hidden).toBe(true);
});

test("one's own comments, and those that come on screen, show no pill", () => {
  arrive([find("own")]);
  arrive([find("a")]);
  putOnScreen(find("a"));
  expect([pill().hidden, announced]).toEqual([true, ["arrived Jo"]]);
});

test("a comment that was replaced out of sight is led to and seen as any other, and one that is gone is not counted", () => {
  arrive([find("a"), find("b")]);
  putOnScreen(find("a"), false);
  putOnScreen(find("b"), false);
  find("a").replaceWith(find("a").cloneNode(true));
  find("b").remove();
  arrive([]);
  expect([pill().hidden, pill().textContent]).toEqual([false, "one"]);
  (pill().firstElementChild as HTMLElement).click();
  expect(document.activeElement).toBe(find("a"));
});

test("a comment that was replaced out of sight takes the pill away when it is seen", () => {
  arrive([find("a")]);
  putOnScreen(find("a"), false);
  find("a").replaceWith(find("a").cloneNode(true));
  arrive([]);
  putOnScreen(find("a"));
  expect(pill().hidden).toBe(true);
});

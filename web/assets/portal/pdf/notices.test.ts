import { beforeEach, expect, test, vi } from "vitest";

import { Notices } from "./notices.ts";

let frame: HTMLElement;
let notices: Notices;

const when = (): string | null | undefined =>
  frame.querySelector(`[data-notice="${frame.dataset["state"]}"] [data-when]`)?.textContent;
const announced = (): string | null | undefined => frame.querySelector("[data-says]")?.textContent;

beforeEach(() => {
  vi.useFakeTimers();
  document.body.innerHTML = `<div id="frame" tabindex="-1"><div class="notices">
    <div data-notice="preparing"><p>Being prepared</p>
    <p data-when="Opens {when}" data-unknown="In a moment" data-long="Takes longer"></p><button>Back</button></div>
    <div data-notice="later"><p>Not available</p><p data-when="There {when}" data-unknown="In a few minutes"></p></div>
    <div data-notice="failed"><p>Not loaded</p><p>Try again</p></div><progress hidden></progress></div>
    <p data-says></p></div>`;
  frame = document.querySelector("#frame") as HTMLElement;
  notices = new Notices(frame);
});

test("a notice is shown and announced with all its sentences", () => {
  notices.show("failed");
  expect([frame.dataset["state"], announced()]).toEqual(["failed", "Not loaded. Try again"]);
  notices.show("shown");
  expect(announced()).toBe("");
});

test("a delay is told from 4 s on, a shorter or unknown one is a moment", () => {
  for (const [afterS, text] of [
    [0, "In a moment"],
    [3, "In a moment"],
    [4, "Opens in 4 seconds"],
  ] as const) {
    notices.show("preparing", afterS);
    expect(when()).toBe(text);
  }
  notices.show("later", 0);
  expect([when(), announced()]).toEqual(["In a few minutes", "Not available. In a few minutes"]);
});

test("after 25 s of preparing a moment is no longer promised, until something else was shown", () => {
  notices.show("preparing");
  vi.advanceTimersByTime(25_000);
  notices.show("preparing");
  expect(when()).toBe("In a moment");
  vi.advanceTimersByTime(1);
  notices.show("preparing");
  expect(when()).toBe("Takes longer");
  notices.show("failed");
  notices.show("preparing");
  expect(when()).toBe("In a moment");
});

test("the focus goes to the viewer when its button disappears, and stays when it does not", () => {
  const button = frame.querySelector("button") as HTMLButtonElement;
  notices.show("preparing");
  button.focus();
  notices.show("preparing");
  expect(document.activeElement).toBe(button);
  (button.parentElement as HTMLElement).hidden = true;
  notices.show("shown");
  expect(document.activeElement).toBe(frame);
});

test("the progress is a bar only when the size is known, and the next notice has none", () => {
  const bar = frame.querySelector("progress") as HTMLProgressElement;
  notices.showProgress(10, 0);
  expect(bar.hidden).toBe(true);
  notices.showProgress(10, 40);
  expect([bar.hidden, bar.value, bar.max]).toEqual([false, 10, 40]);
  notices.show("failed");
  expect(bar.hidden).toBe(true);
});

test("the same sentence is not announced twice", () => {
  notices.announce("Page 2 of 7");
  const node = frame.querySelector("[data-says]")?.firstChild;
  notices.announce("Page 2 of 7");
  expect(frame.querySelector("[data-says]")?.firstChild).toBe(node);
});

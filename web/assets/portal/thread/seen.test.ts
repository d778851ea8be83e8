import { beforeEach, expect, test, vi } from "vitest";

import { putOnScreen } from "../../testing/browser.ts";
import { Store } from "./memory.ts";
import { reportSeen } from "./seen.ts";
import { enhanceThread } from "./thread.ts";

let reported: string[];
let tokens: (string | null)[];
let isHidden: boolean;
let talk: HTMLElement;

beforeEach(() => {
  vi.useFakeTimers();
  window.localStorage.clear();
  [reported, tokens, isHidden] = [[], [], false];
  vi.spyOn(document, "hidden", "get").mockImplementation(() => isHidden);
  vi.stubGlobal("fetch", (_: string, init: { body: URLSearchParams }) => {
    reported.push(init.body.get("seq") ?? "");
    tokens.push(init.body.get("form_token"));
    return Promise.resolve(new Response(null, { status: 204 }));
  });
  document.body.innerHTML = `<div data-seen-url="/seen" data-epoch="e" data-seq="5">
    <li id="staff" data-side="staff" data-seq="4"></li><li id="own" data-side="customer" data-seq="5"></li></div>`;
  talk = document.querySelector("div") as HTMLElement;
});

const staff = (): HTMLElement => document.getElementById("staff") as HTMLElement;

test("the staff's newest comment is reported when it was on screen for a second, once", async () => {
  const look = reportSeen(talk, new Store("i"));
  putOnScreen(staff());
  await vi.advanceTimersByTimeAsync(999);
  expect(reported).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(reported).toEqual(["5"]);
  look();
  reportSeen(talk, new Store("i"));
  putOnScreen(staff());
  await vi.advanceTimersByTimeAsync(5000);
  expect(reported).toEqual(["5"]);
});

test("what is scrolled past, or on screen of a hidden tab, was not seen", async () => {
  reportSeen(talk, new Store("i"));
  putOnScreen(staff());
  putOnScreen(staff(), false);
  isHidden = true;
  putOnScreen(staff());
  await vi.advanceTimersByTimeAsync(5000);
  expect(reported).toEqual([]);
  isHidden = false;
  document.dispatchEvent(new Event("visibilitychange"));
  await vi.advanceTimersByTimeAsync(1000);
  expect(reported).toEqual(["5"]);
});

test("a comment that came while the thread was read is reported, though the thread's place is before it", async () => {
  staff().dataset["seq"] = "6";
  reportSeen(talk, new Store("i"));
  putOnScreen(staff());
  await vi.advanceTimersByTimeAsync(1000);
  expect(reported).toEqual(["6"]);
});

test("a comment that arrives out of sight is not seen by whoever has just seen the one before", async () => {
  const look = reportSeen(talk, new Store("i"));
  putOnScreen(staff());
  await vi.advanceTimersByTimeAsync(500);
  talk.dataset["seq"] = "6";
  talk.insertAdjacentHTML("beforeend", '<li id="newer" data-side="staff" data-seq="6"></li>');
  look();
  await vi.advanceTimersByTimeAsync(5000);
  expect(reported).toEqual([]);
  putOnScreen(document.getElementById("newer") as HTMLElement);
  await vi.advanceTimersByTimeAsync(1000);
  expect(reported).toEqual(["6"]);
});

test("it is reported where nobody may write, too, with the token of the thread", async () => {
  document.body.innerHTML = `<section class="thread" data-now="now"><div data-thread="/thread" data-seen-url="/seen" data-epoch="e"
    data-seq="5"><li id="staff" data-side="staff" data-seq="4"></li></div>
    <p class="closed" data-composer="i"></p><input type="hidden" name="form_token" value="t"></section>`;
  enhanceThread(document, { stuck: () => undefined, gone: () => undefined });
  putOnScreen(staff());
  await vi.advanceTimersByTimeAsync(1000);
  expect(reported).toEqual(["5"]);
  expect(tokens).toEqual(["t"]);
});

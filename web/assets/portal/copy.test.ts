import { beforeEach, expect, test, vi } from "vitest";

import { copyOnClick } from "./copy.ts";

let written: string[];
let isRefused: boolean;
let first: HTMLButtonElement;
let second: HTMLButtonElement;
let announcer: HTMLElement;

beforeEach(() => {
  document.body.innerHTML = `<dl>
    <div class="copyable"><dd><bdi>DE02 1203</bdi></dd><dd><button data-copy="DE021203"></button></dd></div>
    <div class="copyable"><dd><bdi>$10.00</bdi></dd><dd><button data-copy="10.00"></button></dd></div></dl>
    <p data-announcer data-done="Copied." data-failed="Select it by hand."></p>`;
  [first, second] = document.querySelectorAll("button") as unknown as [HTMLButtonElement, HTMLButtonElement];
  announcer = document.querySelector("[data-announcer]") as HTMLElement;
  written = [];
  isRefused = false;
  vi.useFakeTimers();
  const writeText = (text: string): Promise<void> =>
    isRefused ? Promise.reject(new Error("refused")) : Promise.resolve(void written.push(text));
  vi.stubGlobal("navigator", { clipboard: { writeText } });
  copyOnClick(document);
});

async function click(button: HTMLButtonElement): Promise<void> {
  button.click();
  await vi.advanceTimersByTimeAsync(0);
}

test("the exact value is copied, shown on the button for 2 s and announced for 6 s", async () => {
  await click(first);
  expect([written, first.dataset["state"], announcer.textContent]).toEqual([["DE021203"], "done", "Copied."]);
  await vi.advanceTimersByTimeAsync(2000);
  expect([first.dataset["state"], announcer.textContent]).toEqual([undefined, "Copied."]);
  await vi.advanceTimersByTimeAsync(4000);
  expect(announcer.textContent).toBe("");
});

test("the next copy takes the tick of the one before, and its own announcement stays its full time", async () => {
  await click(first);
  await vi.advanceTimersByTimeAsync(1000);
  await click(second);
  expect([first.dataset["state"], second.dataset["state"]]).toEqual([undefined, "done"]);
  await vi.advanceTimersByTimeAsync(5500);
  expect(announcer.textContent).toBe("Copied.");
});

test("a refused clipboard selects the value and says what to do until the next copy", async () => {
  isRefused = true;
  await click(first);
  expect([first.dataset["state"], announcer.textContent]).toEqual(["failed", "Select it by hand."]);
  expect(document.querySelector(".failure")?.textContent).toBe("Select it by hand.");
  expect(document.querySelector(".failure")?.getAttribute("aria-hidden")).toBe("true");
  expect(window.getSelection()?.toString()).toBe("DE02 1203");
  await vi.advanceTimersByTimeAsync(10_000);
  expect(first.dataset["state"]).toBe("failed");
  isRefused = false;
  await click(second);
  expect([first.dataset["state"], document.querySelector(".failure")]).toEqual([undefined, null]);
});

import { beforeEach, expect, test } from "vitest";

import { listenForShortcuts } from "./shortcuts.ts";

let sent: number;

beforeEach(() => {
  document.body.innerHTML = `<form><textarea></textarea><input></form>
    <details class="act" open><summary>Edit</summary><input id="in"></details>`;
  sent = 0;
  document.querySelector("form")?.addEventListener("submit", (event) => {
    event.preventDefault();
    sent += 1;
  });
  const root = document.createElement("div");
  root.append(...document.body.childNodes);
  document.body.append(root);
  listenForShortcuts(root);
});

function press(selector: string, key: string, init: KeyboardEventInit = {}): void {
  document.querySelector(selector)?.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...init }));
}

test("Ctrl or Cmd with Enter sends, Enter alone and Enter of an input method do not", () => {
  press("textarea", "Enter");
  press("textarea", "Enter", { ctrlKey: true, isComposing: true });
  press("textarea", "Enter", { ctrlKey: true, repeat: true });
  press("form input", "Enter", { ctrlKey: true });
  expect(sent).toBe(0);
  press("textarea", "Enter", { ctrlKey: true });
  press("textarea", "Enter", { metaKey: true });
  expect(sent).toBe(2);
});

test("Escape closes an edit and goes back to the word that opened it", () => {
  press("#in", "Escape");
  expect(document.querySelector("details")?.open).toBe(false);
});

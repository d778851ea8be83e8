import { beforeEach, expect, test, vi } from "vitest";

import { showConnection } from "./connection.ts";
import type { Connection } from "./supervisor.ts";

let state: HTMLElement;
let announced: string[];
let show: (connection: Connection) => void;

async function pass(ms: number): Promise<void> {
  await vi.advanceTimersByTimeAsync(ms);
}

beforeEach(() => {
  vi.useFakeTimers();
  document.body.innerHTML = '<p data-state="polling"><span data-word>Updates automatically</span></p>';
  state = document.querySelector("p") as HTMLElement;
  announced = [];
  show = showConnection(
    state,
    (name) => `the word of ${name}`,
    (sentence) => announced.push(sentence),
  );
});

test("each state is shown by a word and named for the style", () => {
  for (const connection of ["live", "polling", "offline", "live", "gone"] as const) {
    show(connection);
    expect([state.dataset["state"], state.textContent]).toEqual([connection, `the word of ${connection}`]);
  }
});

test("what comes and goes is not announced", async () => {
  for (let turn = 0; turn < 5; turn += 1) {
    show("live");
    await pass(5000);
    show("polling");
    await pass(5000);
    show("offline");
    await pass(3000);
  }
  show("live");
  await pass(60_000);
  expect(announced).toEqual([]);
});

test("a loss that lasts is announced once, and that it is over; the end of the link at once", async () => {
  show("live");
  show("offline");
  await pass(4000);
  show("offline");
  await pass(60_000);
  show("polling");
  show("live");
  expect(announced).toEqual(["the word of offline", "the word of back"]);
  show("gone");
  expect(announced.at(-1)).toBe("the word of gone");
});

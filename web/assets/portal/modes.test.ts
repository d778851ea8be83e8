import { beforeEach, expect, test, vi } from "vitest";

import { eventually, media, placeAt } from "../testing/browser.ts";
import { switchModes } from "./modes.ts";

const get = (selector: string): HTMLElement => document.querySelector(selector) as HTMLElement;
const mode = (): string | undefined => get("main").dataset["mode"];
const chosen = (): string | undefined => get("[aria-checked='true']").dataset["shows"];

let listeners = new AbortController();

/** Loads the page at the current address, as a browser does after a reload; the PDF is not there. */
function load(): void {
  listeners.abort();
  listeners = new AbortController();
  document.body.innerHTML = `<div data-modes><a href="#invoice" data-shows="live">Live</a><a data-shows="pdf">PDF</a></div>
    <main data-mode="live"><a id="view" data-shows="pdf">View PDF</a>
    <section class="stage" id="invoice"><template data-viewer><div class="viewer" tabindex="-1" data-address="/x.pdf">
    <button data-back></button><div data-part="pages"></div><div class="notices">
    <div data-notice="loading"><p>Loading</p></div><div data-notice="failed"><p>Not loaded</p><button data-retry></button>
    </div></div><button data-part="previous"></button><input data-part="page"><span data-part="of"></span>
    <button data-part="next"></button><button data-part="smaller"></button><select data-part="size"></select>
    <button data-part="larger"></button><p data-says></p></div></template></section></main>`;
  switchModes(document);
}

async function goBack(): Promise<void> {
  const arrived = new Promise((resolve) => window.addEventListener("popstate", resolve, { once: true }));
  window.history.back();
  await arrived;
}

async function followLink(hash: string): Promise<void> {
  const arrived = new Promise((resolve) => window.addEventListener("hashchange", resolve, { once: true }));
  window.location.hash = hash;
  await arrived;
}

beforeEach(() => {
  // Listeners of an earlier page would follow the history too.
  for (const target of [window, document]) {
    const add = target.addEventListener.bind(target);
    vi.spyOn(target, "addEventListener").mockImplementation((type: string, act: unknown, options?: unknown) => {
      add(type, act as EventListener, { ...(options as AddEventListenerOptions), signal: listeners.signal });
    });
  }
  vi.stubGlobal("fetch", () => Promise.reject(new TypeError("no network")));
  media.change(false);
  window.history.pushState(null, "", "/i/token");
  load();
});

test("the address decides the mode that a page opens in", async () => {
  expect([mode(), chosen()]).toEqual(["live", "live"]);
  window.history.pushState(null, "", "/i/token#pdf");
  load();
  expect(chosen()).toBe("pdf");
  await eventually(() => expect(mode()).toBe("pdf"));
});

test("choosing PDF adds a history entry, and choosing Live takes it back", async () => {
  const { length } = window.history;
  get("[data-modes] [data-shows='pdf']").click();
  expect([window.location.hash, window.history.length, chosen()]).toEqual(["#pdf", length + 1, "pdf"]);
  get("[data-shows='live']").click();
  await eventually(() => expect(window.location.hash).toBe(""));
  expect([window.history.length, mode(), chosen()]).toEqual([length + 1, "live", "live"]);
});

test("Live on a page that was opened as PDF leaves no #pdf in the address", () => {
  window.history.pushState(null, "", "/i/token?a=b#pdf");
  load();
  get("[data-shows='live']").click();
  expect([window.location.search, window.location.hash, mode()]).toEqual(["?a=b", "", "live"]);
});

test("going back from the PDF to a place within the page shows Live", async () => {
  await followLink("#transfer");
  get("#view").click();
  await eventually(() => expect(mode()).toBe("pdf"));
  await goBack();
  expect([window.location.hash, mode(), chosen()]).toEqual(["#transfer", "live", "live"]);
});

test("a skip link in PDF mode keeps the mode, also after a reload, and going back stays in it", async () => {
  get("#view").click();
  await followLink("#invoice");
  expect(chosen()).toBe("pdf");
  load();
  expect(chosen()).toBe("pdf");
  await goBack();
  expect([window.location.hash, chosen()]).toEqual(["#pdf", "pdf"]);
  await goBack();
  expect([window.location.hash, chosen()]).toEqual(["", "live"]);
});

test("a place within the page opens as Live", () => {
  window.history.pushState(null, "", "/i/token#transfer");
  load();
  expect([mode(), chosen()]).toEqual(["live", "live"]);
});

test("a history entry of another script does not decide the mode", () => {
  window.history.replaceState({ mode: "other" }, "", "/i/token");
  load();
  expect(chosen()).toBe("live");
});

test("the paper stays for 300 ms, then the viewer says that it is loading", async () => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", () => new Promise(() => undefined));
  get("#view").click();
  await vi.advanceTimersByTimeAsync(299);
  expect(mode()).toBe("live");
  await vi.advanceTimersByTimeAsync(1);
  expect([mode(), get(".viewer").dataset["state"]]).toEqual(["pdf", "loading"]);
});

test("Live chosen while the PDF is loading stays", async () => {
  vi.useFakeTimers();
  get("#view").click();
  get("[data-shows='live']").click();
  await vi.advanceTimersByTimeAsync(1000);
  expect([mode(), chosen()]).toEqual(["live", "live"]);
});

test("a viewer that opens below the fold is focused", async () => {
  vi.useFakeTimers();
  HTMLElement.prototype.getBoundingClientRect = () => new DOMRect(0, 900, 100, 600);
  get("#view").click();
  await vi.advanceTimersByTimeAsync(300);
  expect(document.activeElement).toBe(get(".viewer"));
  placeAt(get(".viewer"), 0, 0);
});

test("the buttons of a notice try again and go back", async () => {
  get("#view").click();
  await eventually(() => expect(get(".viewer").dataset["state"]).toBe("failed"));
  expect(get("[data-says]").textContent).toBe("Not loaded");
  vi.stubGlobal("fetch", () => new Promise(() => undefined));
  get("[data-retry]").click();
  expect([get(".viewer").dataset["state"], document.activeElement]).toEqual(["loading", get(".viewer")]);
  get("[data-back]").click();
  expect(chosen()).toBe("live");
});

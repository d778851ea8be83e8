/** The PDF in the page: fetches it once, shows it, and says what is the matter while there is nothing to show. */

import type { PDFDocumentProxy } from "pdfjs-dist/legacy/build/pdf.mjs";

import { Controls } from "./controls.ts";
import { fetchPdf } from "./fetching.ts";
import { listenToKeys } from "./keys.ts";
import { openPdf } from "./library.ts";
import { Notices } from "./notices.ts";
import { steadySelection } from "./selection.ts";
import { Sheets } from "./sheets.ts";
import { filled, percent } from "./words.ts";
import { type Zoom, larger, smaller } from "./zoom.ts";

// CSS pixels of a point at its size on paper.
const PAPER_SIZE = 96 / 72;
// After so long it is not the network any more: it is being made.
const MADE_AFTER_MS = 2000;
const SAID_AFTER_MS = 600;
// Who waits already is not given up for a gateway that is being restarted.
const MISSES = 5;
const MISSED_AGAIN_S = 3;
// As wide as the paper of Live gets: changing the mode does not move it.
const WIDEST = 952;

export class Viewer {
  readonly #frame: HTMLElement;
  readonly #desk: HTMLElement;
  readonly #notices: Notices;
  readonly #controls: Controls;
  #sheets: Sheets | undefined;
  #zoom: Zoom = "width";
  #stop = new AbortController();
  #saying = 0;
  #misses = 0;

  constructor(frame: HTMLElement) {
    this.#frame = frame;
    this.#desk = frame.querySelector("[data-part='desk']") as HTMLElement;
    this.#notices = new Notices(frame);
    const step = (direction: 1 | -1): void => {
      this.#magnify(direction > 0 ? larger(this.#factor()) : smaller(this.#factor()));
    };
    this.#controls = new Controls(frame, {
      page: (number) => {
        this.#goTo(number);
      },
      zoom: (zoom) => {
        this.#magnify(zoom);
      },
      step,
    });
    listenToKeys(this.#desk, {
      page: (by) => {
        this.#goTo((this.#sheets?.page ?? 1) + by);
      },
      step,
      fit: () => {
        this.#magnify("width");
      },
    });
    steadySelection(this.#desk);
    new ResizeObserver(() => {
      this.#resize();
    }).observe(frame);
  }

  /** Resolves when there is something to be seen: the pages, or what keeps them away. */
  async open(): Promise<void> {
    this.#stop.abort();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    try {
      if (this.#sheets === undefined) {
        await this.#fetch(signal);
      } else {
        await this.#show(this.#sheets);
      }
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    }
  }

  close(): void {
    this.#stop.abort();
    this.#sheets?.close();
  }

  /** `isAgain` for who has been told that it is asked again: what is said stays until there is news. */
  async #fetch(signal: AbortSignal, isAgain = false): Promise<void> {
    let patience = 0;
    if (!isAgain) {
      this.#misses = 0;
      this.#notices.show("loading");
      patience = window.setTimeout(() => {
        this.#notices.show("preparing");
      }, MADE_AFTER_MS);
    }
    signal.addEventListener("abort", () => {
      window.clearTimeout(patience);
    });
    const arrival = await fetchPdf(this.#frame.dataset["address"] ?? "", signal);
    window.clearTimeout(patience);
    signal.throwIfAborted();
    if (arrival.kind === "here") {
      await this.#read(arrival.bytes, signal);
      return;
    }
    const isMissed = isAgain && arrival.kind === "failed" && this.#misses < MISSES;
    this.#misses = isMissed ? this.#misses + 1 : 0;
    const afterS = isMissed ? MISSED_AGAIN_S : "afterS" in arrival ? arrival.afterS : 0;
    if (!isMissed) {
      this.#notices.show(arrival.kind, afterS);
    }
    if (arrival.kind === "offline") {
      const again = (): void => {
        void this.#fetchAgain(signal, false);
      };
      window.addEventListener("online", again, { once: true, signal });
    } else if (afterS > 0) {
      const timer = window.setTimeout(() => {
        void this.#fetchAgain(signal, true);
      }, afterS * 1000);
      signal.addEventListener("abort", () => {
        window.clearTimeout(timer);
      });
    }
  }

  async #fetchAgain(signal: AbortSignal, isAgain: boolean): Promise<void> {
    try {
      await this.#fetch(signal, isAgain);
    } catch (error) {
      if (!signal.aborted) {
        throw error;
      }
    }
  }

  async #read(bytes: ArrayBuffer, signal: AbortSignal): Promise<void> {
    let pdf: PDFDocumentProxy;
    try {
      pdf = await openPdf(bytes);
    } catch {
      this.#notices.show("broken");
      return;
    }
    signal.throwIfAborted();
    const label = this.#desk.dataset["page"];
    const sheets = new Sheets(this.#desk, pdf, (number) => filled(label, { page: number, pages: pdf.numPages }));
    sheets.onPage = (number) => {
      this.#controls.showPage(number);
      this.#say(() => filled(label, { page: number, pages: pdf.numPages }));
    };
    sheets.onFailure = () => {
      this.#notices.show("broken");
    };
    await sheets.place();
    this.#sheets = sheets;
    this.#controls.pages(sheets.count);
    this.#controls.showPage(1);
    await this.#show(sheets);
  }

  async #show(sheets: Sheets): Promise<void> {
    this.#resize();
    await sheets.open();
    if (!this.#stop.signal.aborted && this.#frame.dataset["state"] !== "broken") {
      this.#notices.show("shown");
    }
  }

  #factor(): number {
    return this.#zoom === "width" ? this.#fitting() : this.#zoom;
  }

  /** The factor at which a page is as wide as its place. */
  #fitting(): number {
    const style = window.getComputedStyle(this.#desk);
    const padding = parseFloat(style.paddingInlineStart) + parseFloat(style.paddingInlineEnd);
    const place = Math.min(this.#frame.clientWidth, this.#desk.clientWidth - padding, WIDEST);
    return place / ((this.#sheets?.width ?? 1) * PAPER_SIZE);
  }

  #resize(): void {
    if (this.#sheets !== undefined && this.#frame.clientWidth > 0) {
      // The scrollbar stands in the margin, where it has a width at all.
      this.#desk.style.setProperty("--bar", `${String(this.#desk.offsetWidth - this.#desk.clientWidth)}px`);
      this.#desk.toggleAttribute("data-wide", this.#factor() > this.#fitting() + 0.001);
      this.#sheets.resize(this.#factor() * PAPER_SIZE);
      this.#controls.showZoom(this.#zoom, this.#factor());
    }
  }

  #magnify(zoom: Zoom): void {
    this.#zoom = zoom;
    this.#resize();
    this.#say(() => percent(this.#factor()));
  }

  #goTo(number: number): void {
    if (this.#sheets !== undefined && number >= 1 && number <= this.#sheets.count) {
      this.#sheets.goTo(number);
    }
  }

  /** Says it when things have come to rest. */
  #say(text: () => string): void {
    window.clearTimeout(this.#saying);
    this.#saying = window.setTimeout(() => {
      this.#notices.announce(text());
    }, SAID_AFTER_MS);
  }
}

/** The PDF in the page: fetches it once, shows it, and shows a notice while there are no pages. */

import type { PDFDocumentProxy } from "pdfjs-dist/legacy/build/pdf.mjs";

import { Controls } from "./controls.ts";
import { fetchPdf } from "./fetching.ts";
import { listenToKeys } from "./keys.ts";
import { openPdf } from "./library.ts";
import { Notices } from "./notices.ts";
import { PageList } from "./page-list.ts";
import { stabilizeSelection } from "./selection.ts";
import { fillIn, formatPercent } from "./words.ts";
import { type Zoom, zoomIn, zoomOut } from "./zoom.ts";

const CSS_PIXELS_PER_POINT = 96 / 72;
// A server that has not answered after so long is rendering the PDF: the network alone is faster.
const PREPARING_AFTER_MS = 2000;
const ANNOUNCE_AFTER_MS = 600;
// While a PDF is being prepared, a gateway may be restarted: so many failures are retried before one is shown.
const MAX_FAILURES = 5;
const RETRY_AFTER_S = 3;
// As wide as the paper of Live gets: changing the mode does not move it.
const MAX_WIDTH = 952;

export class Viewer {
  readonly #frame: HTMLElement;
  readonly #scroller: HTMLElement;
  readonly #notices: Notices;
  readonly #controls: Controls;
  #pages: PageList | undefined;
  #zoom: Zoom = "width";
  #stop = new AbortController();
  #announcing = 0;
  #failures = 0;
  #askAgain: (() => void) | undefined;

  constructor(frame: HTMLElement) {
    this.#frame = frame;
    this.#scroller = frame.querySelector("[data-part='pages']") as HTMLElement;
    this.#notices = new Notices(frame);
    const step = (direction: 1 | -1): void => {
      this.#setZoom(direction > 0 ? zoomIn(this.#factor()) : zoomOut(this.#factor()));
    };
    this.#controls = new Controls(frame, {
      page: (number) => {
        this.#goTo(number);
      },
      zoom: (zoom) => {
        this.#setZoom(zoom);
      },
      step,
    });
    listenToKeys(this.#scroller, {
      page: (by) => {
        this.#goTo((this.#pages?.page ?? 1) + by);
      },
      step,
      fit: () => {
        this.#setZoom("width");
      },
    });
    stabilizeSelection(this.#scroller);
    new ResizeObserver(() => {
      this.#resize();
    }).observe(frame);
  }

  /** Resolves when there is something to show: the pages, or the notice that says why there are none. */
  async open(): Promise<void> {
    this.#stop.abort();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    await ignoreAbort(signal, () => (this.#pages === undefined ? this.#fetch(signal) : this.#show(this.#pages)));
  }

  /** Asks at once for a PDF that is being waited for. */
  hurry(): void {
    this.#askAgain?.();
  }

  close(): void {
    this.#stop.abort();
    this.#askAgain = undefined;
    this.#pages?.close();
  }

  /** `isRetry`: the reader has been told that we ask again, and the notice stays until there is news. */
  async #fetch(signal: AbortSignal, isRetry = false): Promise<void> {
    this.#askAgain = undefined;
    let timer = 0;
    if (!isRetry) {
      this.#failures = 0;
      this.#notices.show("loading");
      timer = window.setTimeout(() => {
        this.#notices.show("preparing");
      }, PREPARING_AFTER_MS);
    }
    const stopTimer = (): void => {
      window.clearTimeout(timer);
    };
    signal.addEventListener("abort", stopTimer);
    const result = await fetchPdf(this.#frame.dataset["address"] ?? "", signal, (received, size) => {
      stopTimer();
      this.#notices.showProgress(received, size);
    });
    stopTimer();
    signal.throwIfAborted();
    if (result.kind === "complete") {
      await this.#read(result.bytes, signal);
      return;
    }
    const isIgnored = isRetry && result.kind === "failed" && this.#failures < MAX_FAILURES;
    this.#failures = isIgnored ? this.#failures + 1 : 0;
    const afterS = isIgnored ? RETRY_AFTER_S : "afterS" in result ? result.afterS : 0;
    if (!isIgnored) {
      this.#notices.show(result.kind, afterS);
    }
    if (result.kind === "offline") {
      const retry = (): void => void ignoreAbort(signal, () => this.#fetch(signal));
      window.addEventListener("online", retry, { once: true, signal });
      return;
    }
    let retry = 0;
    const stopRetry = (): void => {
      window.clearTimeout(retry);
    };
    signal.addEventListener("abort", stopRetry);
    this.#askAgain = () => {
      stopRetry();
      void ignoreAbort(signal, () => this.#fetch(signal, true));
    };
    if (afterS > 0) {
      retry = window.setTimeout(this.#askAgain, afterS * 1000);
    }
  }

  async #read(bytes: Uint8Array<ArrayBuffer>, signal: AbortSignal): Promise<void> {
    let pdf: PDFDocumentProxy;
    try {
      pdf = await openPdf(bytes);
    } catch {
      this.#notices.show("broken");
      return;
    }
    signal.throwIfAborted();
    const label = this.#scroller.dataset["page"];
    const pages = new PageList(this.#scroller, pdf, (number) => fillIn(label, { page: number, pages: pdf.numPages }));
    pages.onPage = (number) => {
      this.#controls.showPage(number);
      this.#announce(() => fillIn(label, { page: number, pages: pdf.numPages }));
    };
    pages.onFailure = () => {
      this.#notices.show("broken");
    };
    await pages.place();
    this.#pages = pages;
    this.#controls.setPageCount(pages.count);
    this.#controls.showPage(1);
    await this.#show(pages);
  }

  async #show(pages: PageList): Promise<void> {
    if (this.#frame.dataset["state"] === "shown") {
      // Opened again: the paper stays until the first page is drawn, which is too soon to announce.
      this.#frame.dataset["state"] = "loading";
    }
    this.#resize();
    await pages.open();
    if (!this.#stop.signal.aborted && this.#frame.dataset["state"] !== "broken") {
      this.#notices.show("shown");
    }
  }

  #factor(): number {
    return this.#zoom === "width" ? this.#fittingFactor() : this.#zoom;
  }

  /** The factor at which a page is as wide as its place. */
  #fittingFactor(): number {
    const style = window.getComputedStyle(this.#scroller);
    const padding = parseFloat(style.paddingInlineStart) + parseFloat(style.paddingInlineEnd);
    const place = Math.min(this.#frame.clientWidth, this.#scroller.clientWidth - padding, MAX_WIDTH);
    return place / ((this.#pages?.width ?? 1) * CSS_PIXELS_PER_POINT);
  }

  #resize(): void {
    if (this.#pages !== undefined && this.#frame.clientWidth > 0) {
      // The scrollbar stands in the margin, where it has a width at all.
      const scrollbar = this.#scroller.offsetWidth - this.#scroller.clientWidth;
      this.#scroller.style.setProperty("--scrollbar", `${String(scrollbar)}px`);
      this.#scroller.toggleAttribute("data-wide", this.#factor() > this.#fittingFactor() + 0.001);
      this.#pages.resize(this.#factor() * CSS_PIXELS_PER_POINT);
      this.#controls.showZoom(this.#zoom, this.#factor());
    }
  }

  #setZoom(zoom: Zoom): void {
    this.#zoom = zoom;
    this.#resize();
    this.#announce(() => formatPercent(this.#factor()));
  }

  #goTo(number: number): void {
    if (this.#pages !== undefined && number >= 1 && number <= this.#pages.count) {
      this.#pages.goTo(number);
    }
  }

  /** Announces a text when nothing has changed for a moment. */
  #announce(text: () => string): void {
    window.clearTimeout(this.#announcing);
    this.#announcing = window.setTimeout(() => {
      this.#notices.announce(text());
    }, ANNOUNCE_AFTER_MS);
  }
}

/** Runs `act`; what it rejects with after an abort is of no interest. */
async function ignoreAbort(signal: AbortSignal, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!signal.aborted) {
      throw error;
    }
  }
}

/** All pages below one another: a place for each of them, drawings only for those near the window. */

import type { PDFDocumentProxy } from "pdfjs-dist/legacy/build/pdf.mjs";

import { PageView } from "./page-view.ts";

export class PageList {
  /** Gets the number of the page in view, whenever it changes. */
  onPage: (number: number) => void = () => undefined;
  /** Called when a page cannot be drawn. */
  onFailure: () => void = () => undefined;
  readonly #scroller: HTMLElement;
  readonly #pdf: PDFDocumentProxy;
  readonly #views: PageView[] = [];
  #scale = 1;
  #width = 1;
  #page = 1;
  #requestedPage = 0;
  #isWorking = false;
  #isClosed = true;
  #waiting: (() => void)[] = [];

  constructor(scroller: HTMLElement, pdf: PDFDocumentProxy, label: (number: number) => string) {
    this.#scroller = scroller;
    this.#pdf = pdf;
    for (let number = 1; number <= pdf.numPages; number++) {
      this.#views.push(new PageView(label(number)));
    }
    let frame = 0;
    scroller.addEventListener(
      "scroll",
      () => {
        window.cancelAnimationFrame(frame);
        frame = window.requestAnimationFrame(() => {
          this.#update();
        });
      },
      { passive: true },
    );
  }

  get count(): number {
    return this.#views.length;
  }

  get page(): number {
    return this.#page;
  }

  /** Width of the first page in points. */
  get width(): number {
    return this.#width;
  }

  /** Gives every page its place, as large as the first page until its own size is known. */
  async place(): Promise<void> {
    const first = await this.#pdf.getPage(1);
    this.#width = first.getViewport({ scale: 1 }).width;
    for (const view of this.#views) {
      view.setSize(first);
    }
    this.#scroller.replaceChildren(...this.#views.map((view) => view.element));
  }

  /** Draws the pages near the window from now on; resolves when they are drawn for the first time. */
  open(): Promise<void> {
    this.#isClosed = false;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#update();
    });
  }

  /** Stops drawing and frees all drawings. */
  close(): void {
    this.#isClosed = true;
    for (const view of this.#views) {
      view.release();
    }
  }

  /** Shows the pages at a scale (CSS pixels per point); the middle of the window keeps its place. */
  resize(scale: number): void {
    const scroller = this.#scroller;
    const { scrollTop, clientWidth, clientHeight } = scroller;
    const isAtStart = scrollTop === 0;
    const view = this.#views.find((each) => bottom(each) > scrollTop + clientHeight / 2) ?? this.#views.at(-1);
    if (view === undefined) {
      return;
    }
    const across = (scroller.scrollLeft + clientWidth / 2 - view.element.offsetLeft) / view.element.offsetWidth;
    const down = (scrollTop + clientHeight / 2 - view.element.offsetTop) / view.element.offsetHeight;
    this.#scale = scale;
    scroller.style.setProperty("--total-scale-factor", String(scale));
    scroller.scrollLeft = view.element.offsetLeft + across * view.element.offsetWidth - clientWidth / 2;
    scroller.scrollTop = isAtStart ? 0 : view.element.offsetTop + down * view.element.offsetHeight - clientHeight / 2;
    this.#update();
  }

  /** Scrolls the upper edge of a page to the upper edge of the window. */
  goTo(number: number): void {
    const view = this.#views[number - 1];
    if (view !== undefined) {
      this.#requestedPage = number;
      this.#scroller.scrollTop = view.element.offsetTop - (this.#views[0]?.element.offsetTop ?? 0);
      this.#update();
    }
  }

  #update(): void {
    const shares = this.#views.map((view) => this.#visibleShare(view));
    const largest = Math.max(...shares);
    // Of several pages that are whole in the window, the requested one is in view, else the first.
    if ((shares[this.#requestedPage - 1] ?? 0) < largest) {
      this.#requestedPage = 0;
    }
    const page = this.#requestedPage || shares.indexOf(largest) + 1;
    if (page !== this.#page) {
      this.#page = page;
      this.onPage(page);
    }
    void this.#work();
  }

  /** Draws one page after the other, the nearest first; then adds the text of all others, for searches in the page. */
  async #work(): Promise<void> {
    if (this.#isWorking || this.#isClosed) {
      return;
    }
    this.#isWorking = true;
    try {
      for (let next = this.#next(); next !== undefined && !this.#isClosed; next = this.#next()) {
        const [view, isNear] = next;
        const page = await this.#pdf.getPage(this.#views.indexOf(view) + 1);
        view.setSize(page);
        if (isNear) {
          await view.draw(page, this.#scale);
        } else {
          this.#resolveWaiting();
          await waitUntilIdle();
        }
        await view.addText(page);
        page.cleanup();
      }
    } catch {
      this.onFailure();
    }
    this.#isWorking = false;
    this.#resolveWaiting();
  }

  #resolveWaiting(): void {
    for (const resolve of this.#waiting.splice(0)) {
      resolve();
    }
  }

  #next(): [PageView, boolean] | undefined {
    let nearest: PageView | undefined;
    let distance = Number.POSITIVE_INFINITY;
    for (const view of this.#views) {
      const away = this.#distance(view);
      if (away > this.#scroller.clientHeight) {
        view.release();
      } else if (!view.isDrawn(this.#scale) && away < distance) {
        nearest = view;
        distance = away;
      }
    }
    if (nearest !== undefined) {
      return [nearest, true];
    }
    const withoutText = this.#views.find((view) => !view.hasText);
    return withoutText && [withoutText, false];
  }

  /** How many pixels a page is away from the window; below 0 in it, the least for the page that fills most of it. */
  #distance(view: PageView): number {
    const { scrollTop, clientHeight } = this.#scroller;
    const above = scrollTop - bottom(view);
    const below = view.element.offsetTop - scrollTop - clientHeight;
    const outside = Math.max(above, below, 0);
    return outside > 0 ? outside : -this.#visibleShare(view);
  }

  /** How much of a page is in the window: 0 to 1. */
  #visibleShare(view: PageView): number {
    const { scrollTop, clientHeight } = this.#scroller;
    const { offsetTop, offsetHeight } = view.element;
    const visible = Math.min(bottom(view), scrollTop + clientHeight) - Math.max(offsetTop, scrollTop);
    return Math.max(0, visible) / Math.max(1, Math.min(offsetHeight, clientHeight));
  }
}

function bottom(view: PageView): number {
  return view.element.offsetTop + view.element.offsetHeight;
}

function waitUntilIdle(): Promise<unknown> {
  return new Promise((resolve) => {
    // Safari has no requestIdleCallback.
    "requestIdleCallback" in window ? window.requestIdleCallback(resolve, { timeout: 500 }) : setTimeout(resolve, 30);
  });
}

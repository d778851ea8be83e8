/** All pages below one another: places for all of them, drawings only for those near the window. */

import type { PDFDocumentProxy } from "pdfjs-dist/legacy/build/pdf.mjs";

import { Sheet } from "./sheet.ts";

export class Sheets {
  /** Told the page that is read, whenever it is another one. */
  onPage: (number: number) => void = () => undefined;
  /** Told that a page cannot be drawn. */
  onFailure: () => void = () => undefined;
  readonly #desk: HTMLElement;
  readonly #pdf: PDFDocumentProxy;
  readonly #sheets: Sheet[] = [];
  #scale = 1;
  #width = 1;
  #page = 1;
  #asked = 0;
  #isWorking = false;
  #isClosed = true;
  #waiting: (() => void)[] = [];

  constructor(desk: HTMLElement, pdf: PDFDocumentProxy, label: (number: number) => string) {
    this.#desk = desk;
    this.#pdf = pdf;
    for (let number = 1; number <= pdf.numPages; number++) {
      this.#sheets.push(new Sheet(label(number)));
    }
    let asked = 0;
    desk.addEventListener(
      "scroll",
      () => {
        window.cancelAnimationFrame(asked);
        asked = window.requestAnimationFrame(() => {
          this.#look();
        });
      },
      { passive: true },
    );
  }

  get count(): number {
    return this.#sheets.length;
  }

  get page(): number {
    return this.#page;
  }

  /** Width of the first page in points. */
  get width(): number {
    return this.#width;
  }

  /** Gives every page its place, as large as the first one until it is known itself. */
  async place(): Promise<void> {
    const first = await this.#pdf.getPage(1);
    this.#width = first.getViewport({ scale: 1 }).width;
    for (const sheet of this.#sheets) {
      sheet.size(first);
    }
    this.#desk.replaceChildren(...this.#sheets.map((sheet) => sheet.element));
  }

  /** Draws what is near the window from now on; resolves when that is done for the first time. */
  open(): Promise<void> {
    this.#isClosed = false;
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#look();
    });
  }

  /** Stops drawing and gives all drawings back. */
  close(): void {
    this.#isClosed = true;
    for (const sheet of this.#sheets) {
      sheet.release();
    }
  }

  /** Shows the pages at a scale (CSS pixels a point); what is in the middle of the window stays there. */
  resize(scale: number): void {
    const desk = this.#desk;
    const { scrollTop, clientWidth, clientHeight } = desk;
    const isAtStart = scrollTop === 0;
    const sheet = this.#sheets.find((each) => bottom(each) > scrollTop + clientHeight / 2) ?? this.#sheets.at(-1);
    if (sheet === undefined) {
      return;
    }
    const across = (desk.scrollLeft + clientWidth / 2 - sheet.element.offsetLeft) / sheet.element.offsetWidth;
    const down = (scrollTop + clientHeight / 2 - sheet.element.offsetTop) / sheet.element.offsetHeight;
    this.#scale = scale;
    desk.style.setProperty("--total-scale-factor", String(scale));
    desk.scrollLeft = sheet.element.offsetLeft + across * sheet.element.offsetWidth - clientWidth / 2;
    desk.scrollTop = isAtStart ? 0 : sheet.element.offsetTop + down * sheet.element.offsetHeight - clientHeight / 2;
    this.#look();
  }

  /** Brings the upper edge of a page to the upper edge of the window. */
  goTo(number: number): void {
    const sheet = this.#sheets[number - 1];
    if (sheet !== undefined) {
      this.#asked = number;
      this.#desk.scrollTop = sheet.element.offsetTop - (this.#sheets[0]?.element.offsetTop ?? 0);
      this.#look();
    }
  }

  #look(): void {
    const seen = this.#sheets.map((sheet) => this.#share(sheet));
    const most = Math.max(...seen);
    // Of pages that are seen whole it is the one that was asked for, else the first.
    const asked = (seen[this.#asked - 1] ?? 0) >= most ? this.#asked : 0;
    this.#asked = asked;
    const page = asked || seen.indexOf(most) + 1;
    if (page !== this.#page) {
      this.#page = page;
      this.onPage(page);
    }
    void this.#work();
  }

  /** One page after the other, the nearest first; then the words of all others, for who searches the page. */
  async #work(): Promise<void> {
    if (this.#isWorking || this.#isClosed) {
      return;
    }
    this.#isWorking = true;
    try {
      for (let next = this.#next(); next !== undefined && !this.#isClosed; next = this.#next()) {
        const [sheet, isNear] = next;
        const page = await this.#pdf.getPage(this.#sheets.indexOf(sheet) + 1);
        sheet.size(page);
        if (isNear) {
          await sheet.draw(page, this.#scale);
        } else {
          this.#ready();
          await idle();
        }
        await sheet.write(page);
        page.cleanup();
      }
    } catch {
      this.onFailure();
    }
    this.#isWorking = false;
    this.#ready();
  }

  #ready(): void {
    for (const resolve of this.#waiting.splice(0)) {
      resolve();
    }
  }

  #next(): [Sheet, boolean] | undefined {
    let nearest: Sheet | undefined;
    let distance = Number.POSITIVE_INFINITY;
    for (const sheet of this.#sheets) {
      const away = this.#distance(sheet);
      if (away > this.#desk.clientHeight) {
        sheet.release();
      } else if (!sheet.isDrawn(this.#scale) && away < distance) {
        nearest = sheet;
        distance = away;
      }
    }
    if (nearest !== undefined) {
      return [nearest, true];
    }
    const unwritten = this.#sheets.find((sheet) => !sheet.isWritten);
    return unwritten && [unwritten, false];
  }

  /** How many pixels a page is away from the window; the middle of it comes before its edges. */
  #distance(sheet: Sheet): number {
    const { scrollTop, clientHeight } = this.#desk;
    const above = scrollTop - bottom(sheet);
    const below = sheet.element.offsetTop - scrollTop - clientHeight;
    const outside = Math.max(above, below, 0);
    return outside > 0 ? outside : -this.#share(sheet);
  }

  /** How much of a page is in the window: 0 to 1. */
  #share(sheet: Sheet): number {
    const { scrollTop, clientHeight } = this.#desk;
    const { offsetTop, offsetHeight } = sheet.element;
    const seen = Math.min(bottom(sheet), scrollTop + clientHeight) - Math.max(offsetTop, scrollTop);
    return Math.max(0, seen) / Math.max(1, Math.min(offsetHeight, clientHeight));
  }
}

function bottom(sheet: Sheet): number {
  return sheet.element.offsetTop + sheet.element.offsetHeight;
}

/** Lets everything else go first. */
function idle(): Promise<unknown> {
  return new Promise((resolve) => {
    // Safari has no other way.
    "requestIdleCallback" in window ? window.requestIdleCallback(resolve, { timeout: 500 }) : setTimeout(resolve, 30);
  });
}

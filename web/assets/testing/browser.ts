/** What jsdom lacks: media queries, frames, layout and its observers, as far as the tests need them. */

import { onTestFinished, vi } from "vitest";

type Listener = () => void;

/** Media queries that all answer the same, until a test changes the answer. */
export class Media {
  readonly #listeners: Listener[] = [];
  #matches = false;

  install(): void {
    const query = { addEventListener: (_: string, listener: Listener) => this.#listeners.push(listener) };
    Object.defineProperty(query, "matches", { get: () => this.#matches });
    vi.stubGlobal("matchMedia", () => query);
  }

  /** Changes the answer and tells the listeners. */
  change(matches: boolean): void {
    this.#matches = matches;
    for (const listener of this.#listeners) {
      listener();
    }
  }
}

export const media = new Media();

/** Elements that are watched for coming on screen, and what is told of them. */
class ScreenObserver {
  static readonly all: ScreenObserver[] = [];
  readonly #tell: (entries: { target: Element; isIntersecting: boolean }[]) => void;
  readonly targets = new Set<Element>();

  constructor(tell: (entries: { target: Element; isIntersecting: boolean }[]) => void) {
    this.#tell = tell;
    ScreenObserver.all.push(this);
  }

  observe(target: Element): void {
    this.targets.add(target);
  }

  unobserve(target: Element): void {
    this.targets.delete(target);
  }

  disconnect(): void {
    this.targets.clear();
  }

  tell(target: Element, isIntersecting: boolean): void {
    if (this.targets.has(target)) {
      this.#tell([{ target, isIntersecting }]);
    }
  }
}

/** Says that an element has come on screen, or has left it. */
export function putOnScreen(target: Element, isIntersecting = true): void {
  for (const observer of ScreenObserver.all) {
    observer.tell(target, isIntersecting);
  }
}

/** Gives an element a place in a window of 768 px height. */
export function placeAt(element: HTMLElement, top: number, bottom: number): void {
  element.getBoundingClientRect = () => new DOMRect(0, top, 100, bottom - top);
}

/** What a test makes hears of window and document no longer than the test runs: all tests share them. */
export function endListenersWithTest(): void {
  const listeners = new AbortController();
  onTestFinished(() => listeners.abort());
  for (const target of [window, document]) {
    const add = target.addEventListener.bind(target);
    vi.spyOn(target, "addEventListener").mockImplementation((type: string, act: unknown) => {
      add(type, act as EventListener, { signal: listeners.signal });
    });
  }
}

/** Waits until an assertion holds; a busy machine may need a while. */
export function eventually(assertion: () => void): Promise<void> {
  return vi.waitFor(assertion, { timeout: 20_000, interval: 10 });
}

export function installBrowser(): void {
  media.install();
  ScreenObserver.all.length = 0;
  vi.stubGlobal("IntersectionObserver", ScreenObserver);
  vi.stubGlobal("requestAnimationFrame", (act: () => void) => window.setTimeout(act, 16));
  vi.stubGlobal("cancelAnimationFrame", (timer: number) => window.clearTimeout(timer));
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe(): void {
        // Nothing is laid out, so nothing changes its size.
      }
    },
  );
  // Without layout an element is visible when neither it nor an ancestor is hidden.
  HTMLElement.prototype.checkVisibility = function isVisible(this: HTMLElement): boolean {
    return this.closest("[hidden]") === null;
  };
  HTMLElement.prototype.scrollIntoView = () => undefined;
}

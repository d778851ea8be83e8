/** The notice that stands over the paper while there are no pages; announced to screen readers too. */

import { fillIn, formatDelay } from "./words.ts";

export type State = "loading" | "preparing" | "later" | "offline" | "failed" | "broken" | "gone" | "shown";

// A shorter delay is called "in a moment".
const MIN_DELAY_S = 4;
// After so long "in a moment" is no longer true, and another sentence is shown.
const LONG_MS = 25_000;

export class Notices {
  readonly #frame: HTMLElement;
  readonly #progress: HTMLProgressElement | null;
  #preparingSince = 0;

  constructor(frame: HTMLElement) {
    this.#frame = frame;
    this.#progress = frame.querySelector("progress");
  }

  /** `afterS` is in how many seconds the PDF is expected, 0 when nobody knows. */
  show(state: State, afterS = 0): void {
    const hadFocus = this.#frame.querySelector(".notices")?.contains(document.activeElement);
    this.#frame.dataset["state"] = state;
    this.showProgress(0, 0);
    if (hadFocus && !document.activeElement?.checkVisibility({ visibilityProperty: true })) {
      // The focused button disappeared with its notice.
      this.#frame.focus({ preventScroll: true });
    }
    const notice = this.#frame.querySelector<HTMLElement>(`[data-notice="${state}"]`);
    const when = notice?.querySelector<HTMLElement>("[data-when]");
    if (state !== "preparing") {
      this.#preparingSince = 0;
    }
    this.#preparingSince ||= Date.now();
    if (when) {
      const isLong = Date.now() - this.#preparingSince > LONG_MS;
      const unknown = (isLong ? when.dataset["long"] : undefined) ?? when.dataset["unknown"];
      when.textContent =
        afterS < MIN_DELAY_S ? (unknown ?? "") : fillIn(when.dataset["when"], { when: formatDelay(afterS) });
    }
    this.announce([...(notice?.querySelectorAll("p") ?? [])].map((each) => each.textContent).join(". "));
  }

  /** Shows how much has arrived, in bytes; no bar when the size is 0. */
  showProgress(received: number, size: number): void {
    if (this.#progress !== null) {
      this.#progress.hidden = size === 0;
      this.#progress.max = Math.max(size, 1);
      this.#progress.value = received;
    }
  }

  announce(text: string): void {
    const announcer = this.#frame.querySelector("[data-says]");
    if (announcer !== null && announcer.textContent !== text) {
      announcer.textContent = text;
    }
  }
}

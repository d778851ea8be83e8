/** What stands in place of the pages while there are none, and says so to screen readers too. */

import { filled, inTime } from "./words.ts";

export type State = "loading" | "preparing" | "later" | "offline" | "failed" | "broken" | "gone" | "shown";

// Below this a number of seconds is no news.
const WORTH_SAYING_S = 4;
// Whoever was told "in a moment" so long ago is told something else.
const LONG_MS = 25_000;

export class Notices {
  readonly #frame: HTMLElement;
  #preparingSince = 0;

  constructor(frame: HTMLElement) {
    this.#frame = frame;
  }

  /** `afterS` is in how many seconds something is expected, 0 when nobody knows. */
  show(state: State, afterS = 0): void {
    const held = this.#frame.querySelector(".notices")?.contains(document.activeElement);
    this.#frame.dataset["state"] = state;
    if (held && !document.activeElement?.checkVisibility({ visibilityProperty: true })) {
      // What had the focus went away with its notice.
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
        afterS < WORTH_SAYING_S ? (unknown ?? "") : filled(when.dataset["when"], { when: inTime(afterS) });
    }
    this.announce([...(notice?.querySelectorAll("p") ?? [])].map((each) => each.textContent).join(". "));
  }

  announce(text: string): void {
    const announcer = this.#frame.querySelector("[data-says]");
    if (announcer !== null && announcer.textContent !== text) {
      announcer.textContent = text;
    }
  }
}

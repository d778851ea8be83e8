/** Keeps a part of the page current: fetches it when events say that it has changed, and again until it is. */

import { backOff } from "./protocol.ts";

/** What is refreshed, and who hears of it. */
export interface Part {
  readonly address: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Takes the part each time that it differs from the one before; false for a page that is something else. */
  apply(html: string): boolean;
  /** Whether the part shows an event of the log. */
  shows(seq: number): boolean;
  /** It cannot be fetched, or can be again. */
  stuck(isStuck: boolean): void;
  gone(): void;
}

type Outcome = "fetched" | "failed" | "gone" | "overtaken";

const TIMEOUT_MS = 20_000;
const NEXT_MS = 50;
const FIRST_RETRY_MS = 1000;
const LONGEST_RETRY_MS = 60_000;
// The first failure may be a server that is being restarted.
const STUCK_AFTER = 2;
// A server that answers and still lacks an event is not asked for it without end.
const MAX_STALE = 6;

export class Refresher {
  readonly #part: Part;
  #etag = "";
  #wanted = 0;
  #failures = 0;
  #stale = 0;
  #turn = 0;
  #pauses = 0;
  #timer = 0;
  #isFetching = false;
  #isDue = false;
  #isGone = false;
  #isStuck = false;
  #afterMs = 0;

  constructor(part: Part) {
    this.#part = part;
    window.addEventListener("online", () => {
      if (this.#isWanted()) {
        void this.refresh();
      }
    });
  }

  /** Sees to it that the part shows an event; events that come while one is being fetched cost one more request. */
  ask(seq: number): void {
    this.#wanted = Math.max(this.#wanted, seq);
    this.#stale = 0;
    if (!this.#isFetching && this.#timer === 0 && this.#isWanted()) {
      void this.refresh();
    }
  }

  /** Leaves the part as it is while `act` runs: a comment that is being sent is not shown twice. */
  async pauseDuring<T>(act: () => Promise<T>): Promise<T> {
    this.#pauses += 1;
    this.#drop();
    try {
      return await act();
    } finally {
      this.#pauses -= 1;
      // Not at once: whoever has acted is about to refresh it.
      this.#plan(0);
    }
  }

  /** Fetches the whole part, also where it has not changed, and whatever was wanted of it before. */
  refreshAll(): Promise<boolean> {
    this.#etag = "";
    this.#wanted = 0;
    return this.refresh();
  }

  /** Fetches the part now; resolves when that is done, with whether it could be fetched. */
  async refresh(): Promise<boolean> {
    this.#drop();
    this.#isDue = this.#pauses > 0;
    if (this.#isGone || this.#isDue) {
      return false;
    }
    const turn = this.#turn;
    this.#isFetching = true;
    const outcome = await this.#fetch(() => turn === this.#turn);
    if (outcome === "overtaken" || turn !== this.#turn) {
      return outcome === "fetched";
    }
    this.#isFetching = false;
    if (outcome === "gone") {
      this.#isGone = true;
      this.#part.gone();
    } else {
      this.#failures = outcome === "fetched" ? 0 : this.#failures + 1;
      this.#report();
      this.#planNext(outcome);
    }
    return outcome === "fetched";
  }

  #planNext(outcome: Outcome): void {
    if (outcome === "failed") {
      this.#plan(Math.max(backOff(this.#failures, FIRST_RETRY_MS, LONGEST_RETRY_MS), this.#afterMs));
    } else if (this.#isWanted() && this.#stale < MAX_STALE) {
      // It came while the part was being fetched: that is the rule, and the next request brings it.
      this.#plan(this.#stale === 0 ? NEXT_MS : backOff(this.#stale, FIRST_RETRY_MS, LONGEST_RETRY_MS));
      this.#stale += 1;
    }
  }

  #isWanted(): boolean {
    return this.#isDue || this.#failures > 0 || (this.#wanted > 0 && !this.#part.shows(this.#wanted));
  }

  #report(): void {
    const isStuck = this.#failures >= STUCK_AFTER;
    if (isStuck !== this.#isStuck) {
      this.#isStuck = isStuck;
      this.#part.stuck(isStuck);
    }
  }

  async #fetch(isCurrent: () => boolean): Promise<Outcome> {
    this.#afterMs = 0;
    try {
      const response = await fetch(this.#part.address, {
        headers: { accept: "text/html", ...this.#part.headers, ...(this.#etag && { "if-none-match": this.#etag }) },
        cache: "no-store",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const html = response.status === 200 ? await response.text() : "";
      if (!isCurrent()) {
        return "overtaken";
      }
      if (response.status === 200) {
        if (!this.#part.apply(html)) {
          return "failed";
        }
        this.#etag = response.headers.get("etag") ?? "";
      }
      if (response.status === 404 || response.status === 410) {
        return "gone";
      }
      this.#afterMs = 1000 * (Number(response.headers.get("retry-after")) || 0);
      return response.status === 200 || response.status === 304 ? "fetched" : "failed";
    } catch {
      return "failed";
    }
  }

  /** Forgets the next request, and the answer to one that is under way. */
  #drop(): void {
    window.clearTimeout(this.#timer);
    this.#timer = 0;
    this.#turn += 1;
    this.#isFetching = false;
  }

  #plan(delay: number): void {
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      this.#timer = 0;
      if (this.#isWanted() && this.#pauses === 0) {
        void this.refresh();
      }
    }, delay);
  }
}

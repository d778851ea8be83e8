/** Asks the gateway for events: by requests that wait for the next one, or by short ones every few seconds. */

import type { Gate } from "./gate.ts";
import { usePlace } from "./places.ts";
import { backOff, type LiveEvent, spread } from "./protocol.ts";

/** Hears how it goes. After `reset` and `gone` nothing is asked any more. */
export interface PollListener {
  /** `isAnswered`: whether the server has been answering. */
  changed(isAnswered: boolean): void;
  /** The page and the log differ: everything is to be fetched again. */
  reset(): void;
  gone(): void;
}

interface Answer {
  events: LiveEvent[];
}

const WAIT_S = 25;
const VISIBLE_MS = 5000;
const HIDDEN_MS = 30_000;
const LONGEST_MS = 60_000;
// Beyond what the server waits.
const TIMEOUT_MS = 15_000;
// So many short requests in a row succeed before one waits again, after one that waited has failed.
const CAUTIOUS_TURNS = 12;
const MAX_GAPS = 3;
// A request that waited and had no event takes longer, unless the server is about to end.
const HASTY_MS = 2000;

export class Poll {
  readonly #address: string;
  readonly #gate: Gate;
  readonly #listener: PollListener;
  #isRunning = false;
  #timer = 0;
  #request = new AbortController();
  #failures = 0;
  #gaps = 0;
  #shortTurns = 0;

  constructor(address: string, gate: Gate, listener: PollListener) {
    this.#address = address;
    this.#gate = gate;
    this.#listener = listener;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  start(): void {
    if (!this.#isRunning) {
      this.#isRunning = true;
      this.#failures = 0;
      this.#gaps = 0;
      // One short request says whether the server answers; one that waits would not say so for a while.
      this.#shortTurns = 1;
      void this.#ask();
    }
  }

  stop(): void {
    this.#isRunning = false;
    window.clearTimeout(this.#timer);
    this.#request.abort();
  }

  /** Asks now and in the way that fits: the page was hidden or shown, or the device has a connection again. */
  hurry(): void {
    if (this.#isRunning) {
      this.#failures = 0;
      this.#shortTurns = Math.max(this.#shortTurns, 1);
      void this.#ask();
    }
  }

  async #ask(): Promise<void> {
    window.clearTimeout(this.#timer);
    this.#request.abort();
    const request = new AbortController();
    this.#request = request;
    if (document.hidden || this.#shortTurns > 0) {
      await this.#send(request, 0);
    } else {
      await usePlace((isFree) => this.#send(request, isFree ? WAIT_S : 0));
    }
  }

  async #send(request: AbortController, wait: number): Promise<void> {
    if (!this.#isRunning || this.#request !== request) {
      return;
    }
    const started = Date.now();
    const timeout = window.setTimeout(
      () => {
        request.abort();
      },
      wait * 1000 + TIMEOUT_MS,
    );
    let answer: { status: number; afterMs: number; events: LiveEvent[] };
    try {
      answer = await this.#fetch(wait, request.signal);
    } catch {
      answer = { status: 0, afterMs: 0, events: [] };
    }
    window.clearTimeout(timeout);
    if (this.#isRunning && this.#request === request) {
      this.#follow(answer.status, answer.events, answer.afterMs, wait === 0, Date.now() - started);
    }
  }

  async #fetch(wait: number, signal: AbortSignal) {
    const { epoch, seq } = this.#gate.cursor;
    const query = new URLSearchParams({ since: String(seq), epoch, wait: String(wait) });
    const response = await fetch(`${this.#address}?${query}`, {
      headers: { accept: "application/json", ...(wait === 0 && { "if-none-match": `W/"${epoch}-${seq}"` }) },
      cache: "no-store",
      signal,
    });
    const events = response.status === 200 ? ((await response.json()) as Partial<Answer>).events : [];
    if (events === undefined) {
      throw new TypeError("the answer is not of the portal");
    }
    return { status: response.status, afterMs: 1000 * (Number(response.headers.get("retry-after")) || 0), events };
  }

  #follow(status: number, events: readonly LiveEvent[], afterMs: number, isShort: boolean, tookMs: number): void {
    if (status === 404 || status === 410) {
      this.stop();
      this.#listener.gone();
    } else if (status === 409) {
      this.stop();
      this.#listener.reset();
    } else if (status === 200 || status === 204 || status === 304) {
      this.#succeed(events, isShort, tookMs);
    } else {
      this.#fail(afterMs, isShort);
    }
  }

  #succeed(events: readonly LiveEvent[], isShort: boolean, tookMs: number): void {
    const isWhole = events.every((event) => this.#gate.take(event));
    this.#gaps = isWhole ? 0 : this.#gaps + 1;
    if (this.#gaps >= MAX_GAPS) {
      this.stop();
      this.#listener.reset();
      return;
    }
    this.#failures = 0;
    // A short one although it was time to wait: other pages hold all requests that may be held.
    const isCrowded = isShort && this.#shortTurns === 0;
    this.#shortTurns = Math.max(this.#shortTurns - 1, 0);
    this.#listener.changed(true);
    if (!this.#isRunning) {
      return;
    }
    if (document.hidden) {
      this.#plan(HIDDEN_MS * (0.9 + spread(0.2)));
    } else if (this.#shortTurns > 0 || isCrowded) {
      this.#plan(VISIBLE_MS * (0.9 + spread(0.2)));
    } else {
      // Less than it should have waited: the server ends, and everybody it had comes back at another time.
      this.#plan(!isShort && events.length === 0 && tookMs < HASTY_MS ? spread(HASTY_MS) : 0);
    }
  }

  #fail(afterMs: number, isShort: boolean): void {
    this.#failures += 1;
    if (!isShort) {
      this.#shortTurns = CAUTIOUS_TURNS;
    }
    this.#shortTurns = Math.max(this.#shortTurns, 1);
    // The first failure may be a server that is being restarted: the next one is asked at once.
    const isSure = this.#failures > 1 || !window.navigator.onLine;
    if (isSure) {
      this.#listener.changed(false);
    }
    const pause = isSure ? backOff(this.#failures - 1, VISIBLE_MS, LONGEST_MS) : spread(1000);
    this.#plan(Math.max(pause, afterMs));
  }

  #plan(delay: number): void {
    if (this.#isRunning) {
      this.#timer = window.setTimeout(() => void this.#ask(), delay);
    }
  }
}

/** Chooses how events reach the page: by a socket, else by polling, and from there back to a socket when one opens. */

import type { Gate } from "./gate.ts";
import { Hubs } from "./hubs.ts";
import { Poll } from "./poll.ts";
import { backOff, type Cursor, spread } from "./protocol.ts";
import type { End, Socket } from "./socket.ts";

/** `gone`: the link opens nothing any more, and nothing is asked again. */
export type Connection = "live" | "polling" | "offline" | "gone";

/** Where an invoice is followed, and what it takes. */
export interface Source {
  readonly ticketAddress: string;
  readonly eventsAddress: string;
  readonly gate: Gate;
  /** Fetches everything again; returns the place that it shows, or nothing when it could not be fetched. */
  refreshAll(): Promise<Cursor | undefined>;
  show(connection: Connection): void;
}

const FALL_BACK_AFTER_MS = 2500;
const SPREAD_MS = 1000;
const FIRST_RETRY_MS = 5000;
const LONGEST_RETRY_MS = 120_000;
// A connection that lasts so long was a good one.
const STABLE_MS = 30_000;
// Resets that follow each other so closely are apart more and more.
const RESETS_WITHIN_MS = 300_000;
// So many that end sooner, and events are asked for instead.
const MAX_SHORT = 3;

export class Supervisor {
  readonly #source: Source;
  readonly #hubs: Hubs;
  readonly #poll: Poll;
  #socket: Socket | undefined;
  #isConnecting = false;
  #isActive = false;
  #isGone = false;
  // How it was last: it stays shown while another connection is made.
  #isLive = false;
  #isStuck = false;
  #isAnswered = true;
  #failures = 0;
  #resets = 0;
  #resetAt = Number.NEGATIVE_INFINITY;
  // Counts suspensions: what began before one does nothing any more.
  #turn = 0;
  #retry = 0;
  #renewal = 0;
  #stable = 0;

  constructor(source: Source) {
    this.#source = source;
    this.#hubs = new Hubs(source.ticketAddress, source.gate, {
      opened: (socket) => {
        this.#adopt(socket);
      },
      drain: (socket, afterMs) => {
        this.#planReplacement(socket, afterMs, () => {
          this.#hubs.avoid(socket);
        });
      },
      ended: (socket, end) => {
        if (socket === this.#socket) {
          this.#lose(socket, end);
        }
      },
    });
    this.#poll = new Poll(source.eventsAddress, source.gate, {
      changed: (isAnswered) => {
        this.#isLive = false;
        this.#isAnswered = isAnswered;
        this.#show();
      },
      reset: () => void this.#reset(),
      gone: () => {
        this.finish();
      },
    });
  }

  start(): void {
    window.addEventListener("online", () => {
      this.#suspend();
      this.#resume();
    });
    window.addEventListener("offline", () => {
      this.#suspend();
      this.#source.show("offline");
    });
    document.addEventListener("visibilitychange", () => {
      this.#poll.hurry();
      if (!document.hidden) {
        this.#socket?.check();
      }
      if (!document.hidden && this.#poll.isRunning) {
        this.#failures = 0;
        void this.#connect();
      }
    });
    // A browser keeps pages without open connections in its memory, and they come back as they were.
    window.addEventListener("pagehide", () => {
      this.#suspend();
    });
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) {
        this.#resume();
      }
    });
    if (window.navigator.onLine) {
      this.#resume();
    } else {
      this.#source.show("offline");
    }
  }

  /** Ends for good: the link opens nothing any more. */
  finish(): void {
    if (!this.#isGone) {
      this.#isGone = true;
      this.#suspend();
      this.#source.show("gone");
    }
  }

  /** Tells that what events are about cannot be fetched, or can be again: then the page is not up to date. */
  reportStuck(isStuck: boolean): void {
    this.#isStuck = isStuck;
    this.#show();
  }

  #show(): void {
    if (this.#isActive) {
      const isReached = (this.#isLive || this.#isAnswered) && !this.#isStuck;
      this.#source.show(isReached ? (this.#isLive ? "live" : "polling") : "offline");
    }
  }

  #suspend(): void {
    this.#turn += 1;
    this.#isActive = false;
    this.#isConnecting = false;
    for (const timer of [this.#retry, this.#renewal, this.#stable]) {
      window.clearTimeout(timer);
    }
    this.#socket?.close();
    this.#hubs.stop();
    this.#socket = undefined;
    this.#poll.stop();
  }

  #resume(): void {
    if (!this.#isActive && !this.#isGone) {
      this.#isActive = true;
      this.#failures = 0;
      this.#isAnswered = true;
      void this.#connect();
    }
  }

  /** Tries each hub once; polls from when none has answered for a while until one does. */
  async #connect(): Promise<void> {
    if (this.#isConnecting || !this.#isActive) {
      return;
    }
    this.#isConnecting = true;
    window.clearTimeout(this.#retry);
    const turn = this.#turn;
    const fallBack = window.setTimeout(() => {
      this.#startPolling(turn);
    }, FALL_BACK_AFTER_MS);
    const opening = await this.#hubs.open(() => turn === this.#turn);
    window.clearTimeout(fallBack);
    if (turn !== this.#turn) {
      return;
    }
    this.#isConnecting = false;
    if (opening.kind === "gone") {
      this.finish();
    } else if (opening.kind === "reset") {
      void this.#reset();
    } else if (opening.kind === "refused") {
      this.#startPolling(turn);
      this.#planRetry(opening.afterMs);
    }
  }

  /** Goes over to a connection that has opened; the one before it ends only now, so that nothing is missed. */
  #adopt(socket: Socket): void {
    this.#socket?.close();
    this.#socket = socket;
    this.#poll.stop();
    window.clearTimeout(this.#stable);
    this.#stable = window.setTimeout(() => {
      this.#failures = 0;
    }, STABLE_MS);
    this.#planReplacement(socket, this.#hubs.renewalMs, () => {
      this.#hubs.dropTicket();
    });
    this.#isLive = true;
    this.#show();
  }

  /** Opens another connection in a while: the hub ends, or the ticket does. The reader does not notice. */
  #planReplacement(socket: Socket, afterMs: number, prepare: () => void): void {
    if (socket === this.#socket) {
      window.clearTimeout(this.#renewal);
      this.#renewal = window.setTimeout(() => {
        prepare();
        void this.#connect();
      }, afterMs);
    }
  }

  #lose(socket: Socket, end: End): void {
    this.#socket = undefined;
    this.#hubs.avoid(socket);
    for (const timer of [this.#retry, this.#renewal, this.#stable]) {
      window.clearTimeout(timer);
    }
    if (end === "gone") {
      this.finish();
      return;
    }
    if (end === "reset") {
      void this.#reset();
      return;
    }
    this.#failures += 1;
    if (end === "busy" || this.#failures > MAX_SHORT) {
      this.#startPolling(this.#turn);
      this.#planRetry(0);
    } else {
      if (end === "ticket") {
        this.#hubs.dropTicket();
      }
      this.#retry = window.setTimeout(() => void this.#connect(), end === "gap" ? 0 : spread(SPREAD_MS));
    }
  }

  #startPolling(turn: number): void {
    if (turn === this.#turn && this.#socket === undefined && !this.#poll.isRunning) {
      this.#isAnswered = true;
      this.#poll.start();
    }
  }

  #planRetry(afterMs: number): void {
    this.#failures += 1;
    window.clearTimeout(this.#retry);
    const pause = Math.max(backOff(this.#failures, FIRST_RETRY_MS, LONGEST_RETRY_MS), afterMs);
    this.#retry = window.setTimeout(() => void this.#connect(), pause);
  }

  /** Fetches everything again and goes on from there; a hub that resets everybody does not get them all at once. */
  async #reset(): Promise<void> {
    this.#suspend();
    const turn = this.#turn;
    this.#isActive = true;
    this.#resets = Date.now() - this.#resetAt < RESETS_WITHIN_MS ? this.#resets + 1 : 0;
    this.#resetAt = Date.now();
    let cursor: Cursor | undefined;
    for (let failures = this.#resets; cursor === undefined; failures += 1) {
      const pause = failures === 0 ? spread(SPREAD_MS) : backOff(failures, FIRST_RETRY_MS, LONGEST_RETRY_MS);
      await new Promise((resolve) => window.setTimeout(resolve, pause));
      cursor = turn === this.#turn ? await this.#source.refreshAll() : undefined;
      if (turn !== this.#turn) {
        return;
      }
    }
    this.#source.gate.restart(cursor);
    this.#failures = 0;
    void this.#connect();
  }
}

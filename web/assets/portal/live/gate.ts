/** Lets each event of the log through once and in order, whichever transport brought it and however often. */

import type { Cursor, LiveEvent } from "./protocol.ts";

export class Gate {
  readonly #apply: (event: LiveEvent) => void;
  #cursor: Cursor;

  constructor(cursor: Cursor, apply: (event: LiveEvent) => void) {
    this.#cursor = cursor;
    this.#apply = apply;
  }

  /** The place to resume after. */
  get cursor(): Cursor {
    return this.#cursor;
  }

  /** Takes an event; false when one before it is missing, so that the reader must resume. */
  take(event: LiveEvent): boolean {
    if (event.seq <= this.#cursor.seq) {
      return true;
    }
    if (event.seq !== this.#cursor.seq + 1) {
      return false;
    }
    // First the cursor: an event that cannot be shown must not be asked for without end.
    this.#cursor = { epoch: this.#cursor.epoch, seq: event.seq };
    this.#apply(event);
    return true;
  }

  /** Goes on from another place: everything up to it is on the page. */
  restart(cursor: Cursor): void {
    this.#cursor = cursor;
  }
}

/** One connection to a hub: hands its events to the gate, notices when it is dead, and says once how it ended. */

import type { Gate } from "./gate.ts";
import { type Frame, parseFrame } from "./protocol.ts";
import type { Ticket } from "./tickets.ts";

/** Why a connection ended; `gap`: events are missing, so that the reader resumes after its cursor. */
export type End = "lost" | "gap" | "ticket" | "slow" | "reset" | "drain" | "busy" | "gone";

/** Hears of a connection; nothing after `ended`, and nothing at all after `close`. */
export interface SocketListener {
  /** The hub has answered: from now on events come by themselves. */
  opened(socket: Socket): void;
  /** The hub will end: another one is to be connected to in so many milliseconds. */
  drain(socket: Socket, afterMs: number): void;
  ended(socket: Socket, end: End): void;
}

const PROTOCOL = "portal.v1";
const ENDS: Readonly<Record<number, End>> = {
  4001: "ticket",
  4008: "slow",
  4009: "reset",
  4012: "drain",
  4029: "busy",
};
// From here on a close code is final.
const FIRST_FINAL = 4500;
const LAST_FINAL = 4999;

export class Socket {
  readonly url: string;
  readonly #gate: Gate;
  readonly #listener: SocketListener;
  #socket: WebSocket | undefined;
  #timer = 0;
  #silenceMs: number;
  #heardAt = 0;
  #isOpen = false;
  #isOver = false;

  /** Connects to the hub at `url`, which is to answer in time, to follow the ticket's invoice from where the gate is. */
  constructor(url: string, withinMs: number, ticket: Ticket, gate: Gate, listener: SocketListener) {
    this.url = url;
    this.#gate = gate;
    this.#listener = listener;
    this.#silenceMs = withinMs;
    const { epoch, seq } = gate.cursor;
    this.#watch();
    try {
      const address = new URL(url);
      address.search = new URLSearchParams({ invoice: ticket.invoice, since: String(seq), epoch }).toString();
      this.#socket = new WebSocket(address, [PROTOCOL, `ticket.${ticket.text}`]);
    } catch {
      // An address that the browser does not allow: said later, as everything else is.
      window.setTimeout(() => {
        this.#end("lost");
      });
      return;
    }
    this.#socket.onmessage = ({ data }) => {
      this.#take(parseFrame(data));
    };
    this.#socket.onclose = ({ code }) => {
      this.#end(code >= FIRST_FINAL && code <= LAST_FINAL ? "gone" : (ENDS[code] ?? "lost"));
    };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Notices a connection that died while the device slept: timers may have stood still as long. */
  check(): void {
    if (Date.now() - this.#heardAt > this.#silenceMs) {
      this.#end("lost");
    }
  }

  /** Ends the connection without a word to the listener. */
  close(): void {
    this.#isOver = true;
    window.clearTimeout(this.#timer);
    this.#socket?.close(1000);
  }

  #take(frame: Frame | undefined): void {
    if (this.#isOver) {
      return;
    }
    this.#watch();
    switch (frame?.type) {
      case undefined:
        this.#end("lost");
        break;
      case "hello":
        this.#open(frame.epoch, frame.heartbeat_s);
        break;
      case "event":
        if (!this.#gate.take(frame)) {
          this.#end("gap");
        }
        break;
      case "heartbeat":
        // The hub sent everything up to its head before this frame.
        if (frame.head > this.#gate.cursor.seq) {
          this.#end("gap");
        }
        break;
      case "drain":
        this.#listener.drain(this, frame.after_ms);
        break;
      case "reset":
        this.#end("reset");
        break;
    }
  }

  #open(epoch: string, heartbeatS: number): void {
    if (epoch !== this.#gate.cursor.epoch) {
      this.#end("reset");
    } else if (!this.#isOpen) {
      this.#isOpen = true;
      this.#silenceMs = 2 * heartbeatS * 1000;
      this.#watch();
      this.#listener.opened(this);
    }
  }

  /** A connection that says nothing for longer than two heartbeats is dead. */
  #watch(): void {
    this.#heardAt = Date.now();
    window.clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => {
      this.#end("lost");
    }, this.#silenceMs);
  }

  #end(end: End): void {
    if (!this.#isOver) {
      this.close();
      this.#listener.ended(this, end);
    }
  }
}

/** Opens a connection to one of the hubs, with a ticket, and to another one when the first does not answer. */

import type { Gate } from "./gate.ts";
import { type End, Socket, type SocketListener } from "./socket.ts";
import { type Ticket, Tickets } from "./tickets.ts";

/** What became of an attempt; `refused`: no hub has answered, and none is to be asked before `afterMs`. */
export type Opening = { kind: "opened" | "gone" | "reset" } | { kind: "refused"; afterMs: number };

// After so long without an answer another hub is tried; meanwhile the page polls.
const PATIENCE_MS = 2500;
// For the last one: a browser with many tabs makes their connections wait for each other.
const LAST_PATIENCE_MS = 10_000;

export class Hubs {
  readonly #gate: Gate;
  readonly #tickets: Tickets;
  readonly #listener: SocketListener;
  #candidate: Socket | undefined;
  #lostUrl = "";

  constructor(ticketAddress: string, gate: Gate, listener: SocketListener) {
    this.#gate = gate;
    this.#tickets = new Tickets(ticketAddress);
    this.#listener = listener;
  }

  /** In how many milliseconds a connection is to be replaced by one with another ticket. */
  get renewalMs(): number {
    return this.#tickets.renewAt - Date.now();
  }

  dropTicket(): void {
    this.#tickets.drop();
  }

  /** Tries another hub than that of a connection first. */
  avoid(socket: Socket): void {
    this.#lostUrl = socket.url;
  }

  /** Gives up what is being opened. */
  stop(): void {
    this.#candidate?.close();
  }

  /** Tries each hub once, while `isCurrent`. */
  async open(isCurrent: () => boolean): Promise<Opening> {
    const answer = await this.#tickets.take();
    if (answer.kind === "gone") {
      return { kind: "gone" };
    }
    if (answer.kind !== "ticket") {
      return { kind: "refused", afterMs: answer.kind === "refused" ? answer.afterMs : 0 };
    }
    const urls = this.#order(answer.ticket.urls);
    for (const url of urls) {
      const withinMs = url === urls.at(-1) ? LAST_PATIENCE_MS : PATIENCE_MS;
      const end = isCurrent() ? await this.#openOne(url, withinMs, answer.ticket) : "lost";
      if (end === "opened" || end === "gone" || end === "reset") {
        return { kind: end };
      }
      this.#lostUrl = url;
      if (end === "ticket") {
        this.#tickets.drop();
      }
      if (end === "ticket" || end === "busy") {
        break;
      }
    }
    return { kind: "refused", afterMs: 0 };
  }

  /** The hubs in random order, the one that was lost last at the end. */
  #order(urls: readonly string[]): string[] {
    const places = new Map(urls.map((url) => [url, url === this.#lostUrl ? 2 : Math.random()]));
    return [...places.keys()].sort((a, b) => (places.get(a) ?? 0) - (places.get(b) ?? 0));
  }

  #openOne(url: string, withinMs: number, ticket: Ticket): Promise<"opened" | End> {
    return new Promise((resolve) => {
      this.#candidate = new Socket(url, withinMs, ticket, this.#gate, {
        opened: (socket) => {
          this.#candidate = undefined;
          this.#listener.opened(socket);
          resolve("opened");
        },
        drain: (socket, afterMs) => {
          this.#listener.drain(socket, afterMs);
        },
        ended: (socket, end) => {
          this.#listener.ended(socket, end);
          resolve(end);
        },
      });
    });
  }
}

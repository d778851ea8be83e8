/** Fetches tickets for the hub and keeps the newest until it is time for another. */

export interface Ticket {
  readonly text: string;
  /** The invoice that it is for. */
  readonly invoice: string;
  /** The addresses of the hubs; none where the portal has no hub. */
  readonly urls: readonly string[];
  readonly renewAt: number;
}

/** `refused`: the server asks to come again later, `failed`: it did not answer. */
export type TicketAnswer =
  | { kind: "ticket"; ticket: Ticket }
  | { kind: "gone" }
  | { kind: "refused"; afterMs: number }
  | { kind: "failed" };

interface Document {
  ticket: string;
  invoice: string;
  urls: string[];
  renew_after_s: number;
}

const TIMEOUT_MS = 10_000;

export class Tickets {
  readonly #address: string;
  #ticket: Ticket | undefined;

  constructor(address: string) {
    this.#address = address;
  }

  /** When to fetch another, by `Date.now()`: before the one in use expires. */
  get renewAt(): number {
    return this.#ticket?.renewAt ?? 0;
  }

  /** Returns the ticket in use or, when its time is over, another. */
  async take(): Promise<TicketAnswer> {
    if (this.#ticket !== undefined && Date.now() < this.#ticket.renewAt) {
      return { kind: "ticket", ticket: this.#ticket };
    }
    const answer = await fetchTicket(this.#address);
    this.#ticket = answer.kind === "ticket" ? answer.ticket : undefined;
    return answer;
  }

  /** Forgets the ticket: a hub has refused it, or its time is over. */
  drop(): void {
    this.#ticket = undefined;
  }
}

async function fetchTicket(address: string): Promise<TicketAnswer> {
  try {
    const response = await fetch(address, {
      headers: { accept: "application/json" },
      cache: "no-store",
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    if (response.status === 200) {
      const { ticket, invoice, urls, renew_after_s } = (await response.json()) as Partial<Document>;
      if (ticket === undefined || invoice === undefined || urls === undefined || renew_after_s === undefined) {
        // Of a network's sign-in page, say.
        return { kind: "failed" };
      }
      return { kind: "ticket", ticket: { text: ticket, invoice, urls, renewAt: Date.now() + renew_after_s * 1000 } };
    }
    if (response.status === 404 || response.status === 410) {
      return { kind: "gone" };
    }
    return { kind: "refused", afterMs: 1000 * (Number(response.headers.get("retry-after")) || 0) };
  } catch {
    return { kind: "failed" };
  }
}

/** What this device remembers of a conversation, by invoice: who writes, the text, and what is not sent yet. */

/** A comment on its way. The server takes a `clientId` once, however often it comes. */
export interface Unsent {
  readonly clientId: string;
  readonly body: string;
  readonly name: string;
  readonly email: string;
}

export interface Memory {
  name: string;
  email: string;
  text: string;
  /** What was last reported as seen. */
  seen: string;
  unsent: Unsent[];
}

const PREFIX = "thread:";

/** Reads and writes a Memory; without storage it lasts as long as the page. */
export class Store {
  readonly #key: string;
  #kept: string | null = null;

  constructor(invoice: string) {
    this.#key = PREFIX + invoice;
  }

  read(): Memory {
    return parse(this.#readRaw());
  }

  /** Changes some of it, and leaves what other tabs have written of the rest. */
  write(changes: Partial<Memory>): void {
    this.#kept = JSON.stringify({ ...this.read(), ...changes });
    try {
      window.localStorage.setItem(this.#key, this.#kept);
    } catch {
      // Storage is full or refused: the page itself still holds everything.
    }
  }

  addUnsent(entry: Unsent): void {
    this.write({ unsent: [...this.read().unsent.filter((each) => each.clientId !== entry.clientId), entry] });
  }

  removeUnsent(clientId: string): void {
    this.write({ unsent: this.read().unsent.filter((each) => each.clientId !== clientId) });
  }

  /** Forgets the conversations of all invoices on this host. */
  forgetAll(): void {
    this.#kept = null;
    try {
      const keys = Array.from({ length: window.localStorage.length }, (_, place) => window.localStorage.key(place));
      for (const key of keys.filter((each) => each?.startsWith(PREFIX))) {
        window.localStorage.removeItem(key as string);
      }
    } catch {
      // Without storage there is nothing to forget.
    }
  }

  /** Runs `act` with what was known before and what is now, when another tab has written. */
  onChange(act: (before: Memory, now: Memory) => void): void {
    window.addEventListener("storage", (event) => {
      if (event.key === this.#key) {
        this.#kept = event.newValue;
        act(parse(event.oldValue), parse(event.newValue));
      }
    });
  }

  #readRaw(): string | null {
    try {
      return window.localStorage.getItem(this.#key);
    } catch {
      return this.#kept;
    }
  }
}

function parse(raw: string | null): Memory {
  const empty: Memory = { name: "", email: "", text: "", seen: "", unsent: [] };
  try {
    return { ...empty, ...(JSON.parse(raw ?? "{}") as Partial<Memory>) };
  } catch {
    return empty;
  }
}

/** A UUID; crypto.randomUUID is missing on plain http. */
export function makeClientId(): string {
  const bytes = window.crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = [...bytes].map((each) => each.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** Asks for the thread every few seconds, and less often when nobody looks or the server has trouble. */

export type Connection = "live" | "paused" | "offline" | "gone";

const VISIBLE_MS = 5000;
const HIDDEN_MS = 30_000;
const LONGEST_MS = 60_000;
const TIMEOUT_MS = 20_000;

export class Poller {
  readonly #address: string;
  readonly #apply: (html: string) => void;
  readonly #show: (connection: Connection) => void;
  #etag = "";
  #failures = 0;
  #timer = 0;
  #turn = 0;
  #pauses = 0;
  #isGone = false;

  /** `apply` takes each thread that differs from the one before, `show` the state of the connection. */
  constructor(address: string, apply: (html: string) => void, show: (connection: Connection) => void) {
    this.#address = address;
    this.#apply = apply;
    this.#show = show;
  }

  start(): void {
    const resume = (): void => {
      this.#failures = 0;
      void this.refresh();
    };
    window.addEventListener("online", resume);
    window.addEventListener("offline", () => {
      this.#stop();
      this.#show("offline");
    });
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        this.#plan();
      } else {
        resume();
      }
    });
    // A page that comes back from the browser's memory is as old as its last poll.
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) {
        resume();
      }
    });
    this.#show(window.navigator.onLine ? "live" : "offline");
    this.#plan();
  }

  /** Keeps the thread as it is while `act` runs: a comment that is being sent is not shown twice. */
  async pauseDuring<T>(act: () => Promise<T>): Promise<T> {
    this.#pauses += 1;
    this.#stop();
    try {
      return await act();
    } finally {
      this.#pauses -= 1;
      this.#plan();
    }
  }

  /** Asks now for the whole thread, also where it has not changed. */
  refreshAll(): Promise<void> {
    this.#etag = "";
    return this.refresh();
  }

  /** Asks now; resolves when the thread is current or could not be fetched. */
  async refresh(): Promise<void> {
    this.#stop();
    if (this.#isGone || this.#pauses > 0) {
      return;
    }
    this.#turn += 1;
    const turn = this.#turn;
    const connection = await this.#fetch(() => turn === this.#turn);
    if (connection !== undefined && turn === this.#turn) {
      this.#failures = connection === "live" ? 0 : this.#failures + 1;
      this.#isGone = connection === "gone";
      this.#show(connection);
      this.#plan();
    }
  }

  /** Returns how the connection is; nothing when another request has taken over. */
  async #fetch(isCurrent: () => boolean): Promise<Connection | undefined> {
    try {
      const response = await fetch(this.#address, {
        headers: { accept: "text/html", ...(this.#etag && { "if-none-match": this.#etag }) },
        cache: "no-store",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const html = response.status === 200 ? await response.text() : "";
      if (!isCurrent()) {
        return undefined;
      }
      if (response.status === 200) {
        this.#etag = response.headers.get("etag") ?? "";
        this.#apply(html);
      }
      if (response.status === 404 || response.status === 410) {
        return "gone";
      }
      return response.status === 200 || response.status === 304 ? "live" : "paused";
    } catch {
      return window.navigator.onLine ? "paused" : "offline";
    }
  }

  /** Forgets the next request, and the answer to one that is under way. */
  #stop(): void {
    window.clearTimeout(this.#timer);
    this.#turn += 1;
  }

  #plan(): void {
    window.clearTimeout(this.#timer);
    if (this.#isGone || this.#pauses > 0 || !window.navigator.onLine) {
      return;
    }
    const pause = document.hidden ? HIDDEN_MS : VISIBLE_MS;
    const delay = Math.min(pause * 2 ** this.#failures, Math.max(pause, LONGEST_MS));
    // Apart from one another, so that a server that comes back is not asked by everybody at once.
    this.#timer = window.setTimeout(() => void this.refresh(), delay * (0.9 + 0.2 * Math.random()));
  }
}

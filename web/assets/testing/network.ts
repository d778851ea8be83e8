/** The network as a page sees it: requests and sockets that a test answers, and whether there is a network at all. */

import { vi } from "vitest";

/** A request on its way. */
export interface Request {
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  isAborted: boolean;
  answer(status: number, body?: unknown, headers?: Record<string, string>): void;
  fail(): void;
}

type Listen<T> = ((event: T) => void) | null;

/** A connection to a hub. */
export class FakeSocket {
  readonly url: URL;
  readonly protocols: readonly string[];
  onmessage: Listen<{ data: string }> = null;
  onclose: Listen<{ code: number }> = null;
  closedWith: number | undefined;

  constructor(url: URL, protocols: readonly string[]) {
    this.url = url;
    this.protocols = protocols;
  }

  close(code: number): void {
    this.closedWith ??= code;
  }

  /** Sends a frame, as the hub does. */
  send(type: string, members: object = {}): void {
    this.onmessage?.({ data: JSON.stringify({ type, ...members }) });
  }

  hello(epoch = "e", head = 0): void {
    this.send("hello", { epoch, head, heartbeat_s: 25 });
  }

  event(seq: number, kind = "comment.posted", members: object = {}): void {
    this.send("event", { seq, kind, payload: {}, client_id: null, ...members });
  }

  /** Ends the connection, as the hub or the network does. */
  end(code = 1006): void {
    this.onclose?.({ code });
  }
}

export class Network {
  readonly requests: Request[] = [];
  readonly sockets: FakeSocket[] = [];
  isOnline = true;
  isHidden = false;

  install(): void {
    vi.spyOn(document, "hidden", "get").mockImplementation(() => this.isHidden);
    vi.spyOn(window.navigator, "onLine", "get").mockImplementation(() => this.isOnline);
    vi.stubGlobal("fetch", (address: string, init: RequestInit) => this.#fetch(address, init));
    const { sockets } = this;
    vi.stubGlobal(
      "WebSocket",
      class extends FakeSocket {
        constructor(url: URL, protocols: readonly string[]) {
          super(url, protocols);
          sockets.push(this);
        }
      },
    );
  }

  /** The requests for a path so far. */
  to(path: string): Request[] {
    return this.requests.filter((each) => each.url.pathname === path);
  }

  setOnline(isOnline: boolean): void {
    this.isOnline = isOnline;
    window.dispatchEvent(new Event(isOnline ? "online" : "offline"));
  }

  setHidden(isHidden: boolean): void {
    this.isHidden = isHidden;
    document.dispatchEvent(new Event("visibilitychange"));
  }

  #fetch(address: string, init: RequestInit): Promise<Response> {
    return new Promise((resolve, reject) => {
      const request: Request = {
        url: new URL(address, window.location.href),
        headers: init.headers as Record<string, string>,
        isAborted: false,
        answer: (status, body, headers = {}) => {
          const hasBody = status !== 204 && status !== 304;
          const text = typeof body === "string" ? body : JSON.stringify(body ?? {});
          resolve(new Response(hasBody ? text : null, { status, headers }));
        },
        fail: () => reject(new TypeError("no network")),
      };
      init.signal?.addEventListener("abort", () => {
        request.isAborted = true;
        reject(new DOMException("aborted", "AbortError"));
      });
      this.requests.push(request);
    });
  }
}

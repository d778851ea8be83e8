/** What hubs and gateways say about the log of an invoice: places in it, its events, the frames of a socket. */

/** The last event that this page has taken; in another epoch the numbers mean other events. */
export interface Cursor {
  readonly epoch: string;
  readonly seq: number;
}

/** An event of the log. It holds ids and no text: what it is about is fetched. */
export interface LiveEvent {
  readonly seq: number;
  readonly kind: string;
  readonly payload: Readonly<Record<string, unknown>>;
  readonly client_id: string | null;
}

export type Frame =
  | { readonly type: "hello"; readonly epoch: string; readonly head: number; readonly heartbeat_s: number }
  | ({ readonly type: "event" } & LiveEvent)
  | { readonly type: "heartbeat"; readonly head: number }
  | { readonly type: "drain"; readonly after_ms: number }
  | { readonly type: "reset" };

/** Returns the frame in a message, or nothing for one that is broken; frames of other types are for later pages. */
export function parseFrame(message: unknown): Frame | undefined {
  try {
    const frame = JSON.parse(String(message)) as Frame | null;
    return typeof frame?.type === "string" ? frame : undefined;
  } catch {
    return undefined;
  }
}

/** A pause between nothing and `longest`: whoever lost the same server must not ask the next one all at once. */
export function spread(longest: number): number {
  return Math.random() * longest;
}

/** A pause that grows with each failure, up to a limit; half of it depends on chance. */
export function backOff(failures: number, first: number, longest: number): number {
  const pause = Math.min(first * 2 ** Math.max(failures - 1, 0), longest);
  return pause / 2 + spread(pause / 2);
}

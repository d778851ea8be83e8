/** Asks for the PDF and says in one word what came of it. */

export type Arrival =
  | { kind: "here"; bytes: ArrayBuffer }
  | { kind: "preparing" | "later"; afterS: number }
  | { kind: "offline" | "failed" | "gone" };

/** Rejects only when `signal` ends it; `afterS` is 0 where the answer does not say when to ask again. */
export async function fetchPdf(address: string, signal: AbortSignal): Promise<Arrival> {
  try {
    const answer = await fetch(address, { signal, headers: { accept: "application/pdf" } });
    if (answer.status === 200) {
      return { kind: "here", bytes: await answer.arrayBuffer() };
    }
    if (answer.status === 202) {
      return { kind: "preparing", afterS: secondsOf(answer) };
    }
    if (answer.status === 404) {
      return { kind: "gone" };
    }
    return answer.status === 429 || answer.status >= 500 ? { kind: "later", afterS: secondsOf(answer) } : { kind: "failed" };
  } catch (error) {
    if (signal.aborted) {
      throw error;
    }
    return { kind: window.navigator.onLine ? "failed" : "offline" };
  }
}

/** Retry-After in seconds (RFC 9110, 10.2.3); 0 without one. */
function secondsOf(answer: Response): number {
  const said = answer.headers.get("retry-after") ?? "";
  const seconds = /^\d+$/.test(said) ? Number(said) : (Date.parse(said) - Date.now()) / 1000;
  return seconds > 0 ? Math.ceil(seconds) : 0;
}

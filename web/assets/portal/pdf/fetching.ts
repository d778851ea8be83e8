/** Asks for the PDF and returns one word for the outcome. */

export type FetchResult =
  | { kind: "complete"; bytes: Uint8Array<ArrayBuffer> }
  | { kind: "preparing" | "later"; afterS: number }
  | { kind: "offline" | "failed" | "gone" };

/** Called when the PDF begins to arrive and with each part of it, in bytes; `size` is 0 when it is not known. */
export type Progress = (received: number, size: number) => void;

/** Rejects only when `signal` aborts it; `afterS` is 0 when the response does not say when to ask again. */
export async function fetchPdf(address: string, signal: AbortSignal, report: Progress): Promise<FetchResult> {
  try {
    const response = await fetch(address, { signal, headers: { accept: "application/pdf" } });
    if (response.status === 200) {
      return { kind: "complete", bytes: await readBody(response, report) };
    }
    if (response.status === 202) {
      return { kind: "preparing", afterS: retryAfterS(response) };
    }
    if (response.status === 404) {
      return { kind: "gone" };
    }
    const isTemporary = response.status === 429 || response.status >= 500;
    return isTemporary ? { kind: "later", afterS: retryAfterS(response) } : { kind: "failed" };
  } catch (error) {
    if (signal.aborted) {
      throw error;
    }
    return { kind: window.navigator.onLine ? "failed" : "offline" };
  }
}

async function readBody(response: Response, report: Progress): Promise<Uint8Array<ArrayBuffer>> {
  // The length of an encoded body says nothing about the bytes that are read here.
  const isEncoded = response.headers.has("content-encoding");
  const size = isEncoded ? 0 : Number(response.headers.get("content-length") ?? 0);
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let received = 0;
  report(received, size);
  const reader = response.body?.getReader();
  for (let part = await reader?.read(); part?.value !== undefined; part = await reader?.read()) {
    parts.push(part.value);
    received += part.value.length;
    report(received, size);
  }
  const bytes = new Uint8Array(received);
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** Retry-After in seconds (RFC 9110, 10.2.3); 0 without one. */
function retryAfterS(response: Response): number {
  const value = response.headers.get("retry-after") ?? "";
  const seconds = /^\d+$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000;
  return seconds > 0 ? Math.ceil(seconds) : 0;
}

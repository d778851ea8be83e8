/** Posts a form's fields and reads the answer; a form token that has expired is renewed once. */

import { parsePage } from "../parsing.ts";
import type { Words } from "./words.ts";

/** What became of a post. `lost`: nobody knows whether it arrived, or the server asked to come again. */
export type Answer =
  | { kind: "done"; commentId: string }
  | Refusal
  | { kind: "lost"; cause: Cause; retryAfterMs: number };

/** `silent`: the server did not answer; `busy`: it asked to come again. */
export type Cause = "offline" | "silent" | "busy";

export interface Refusal {
  kind: "refused";
  code: string;
  /** The proof that is asked for, or empty. */
  proof: string;
  detail: string;
  errors: Record<string, string>;
}

interface Document {
  comment_id?: string;
  form_token?: string;
  code?: string;
  proof?: string;
  detail?: string;
  title?: string;
  errors?: Record<string, string>;
}

const TIMEOUT_MS = 20_000;
const TOKEN = "form_token";
const TOKEN_FIELD = `input[name="${TOKEN}"]`;
/** The thread with its forms: all have the same token, also where nobody may write. */
const THREAD = "section.thread";

export async function post(address: string, fields: Record<string, string>): Promise<Answer> {
  const answer = await send(address, fields);
  if (answer.kind === "refused" && answer.code === "form.token" && (await renewToken())) {
    return send(address, fields);
  }
  return answer;
}

/** Posts what is answered with the id of a comment: a success without one comes from a network's sign-in page. */
export async function postComment(address: string, fields: Record<string, string>): Promise<Answer> {
  const answer = await post(address, fields);
  const isForeign = answer.kind === "done" && answer.commentId === "";
  return isForeign ? { kind: "lost", cause: "silent", retryAfterMs: 0 } : answer;
}

/** Says why a post is lost that is not sent again by itself. */
export function describeLost(cause: Cause, words: Words): string {
  return words(cause === "busy" ? "busy" : "kept");
}

async function send(address: string, fields: Record<string, string>): Promise<Answer> {
  let response: Response;
  let content: Document;
  try {
    response = await fetch(address, {
      method: "POST",
      headers: { accept: "application/json" },
      body: new URLSearchParams({ ...fields, [TOKEN]: readToken() }),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    content = (await response.json().catch(() => ({}))) as Document;
  } catch {
    return { kind: "lost", cause: window.navigator.onLine ? "silent" : "offline", retryAfterMs: 0 };
  }
  if (content.form_token) {
    writeToken(content.form_token);
  }
  if (response.ok) {
    return { kind: "done", commentId: content.comment_id ?? "" };
  }
  // A code that may be asked for once a minute is a decision; a crowded network or server is not.
  const isDecided = response.status < 500 && (response.status !== 429 || content.code !== "http.throttled");
  if (!isDecided) {
    return { kind: "lost", cause: "busy", retryAfterMs: 1000 * (Number(response.headers.get("retry-after")) || 0) };
  }
  const { code = "", proof = "", detail = content.title ?? "", errors = {} } = content;
  return { kind: "refused", code, proof, detail, errors };
}

function readToken(): string {
  return document.querySelector<HTMLInputElement>(`${THREAD} ${TOKEN_FIELD}`)?.value ?? "";
}

/** Gives the token to each form of the page. */
function writeToken(token: string): void {
  for (const input of document.querySelectorAll<HTMLInputElement>(TOKEN_FIELD)) {
    input.value = token;
  }
}

/** Takes the token of the page as it is now; a token ends with the session that it was made for. */
async function renewToken(): Promise<boolean> {
  try {
    const response = await fetch(window.location.pathname, {
      cache: "no-store",
      // Nobody opens the page anew: it is no view.
      headers: { accept: "text/html", "x-portal-refresh": "1" },
    });
    const page = parsePage(await response.text());
    const token = page.querySelector<HTMLInputElement>(TOKEN_FIELD)?.value;
    if (!response.ok || !token) {
      return false;
    }
    writeToken(token);
    return true;
  } catch {
    return false;
  }
}

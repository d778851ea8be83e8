/** Comments on their way: each is shown at once, sent in order, and sent again until it is answered. */

import type { Store, Unsent } from "./memory.ts";
import { postComment, type Refusal } from "./posting.ts";
import type { Words } from "./words.ts";

const FIRST_DELAY_MS = 2000;
const LONGEST_DELAY_MS = 60_000;

type State = "sending" | "waiting" | "retrying" | "failed" | "sent";

/** What the outbox needs of the page around it. */
export interface OutboxHost {
  action: string;
  list: HTMLElement;
  /** The author's name where the server knows it better than the entry. */
  knownName: string;
  pauseDuring<T>(act: () => Promise<T>): Promise<T>;
  /** Fetches the thread; resolves when it shows what was sent, or could not be fetched. */
  refresh(): Promise<void>;
  /** Takes a refused comment; false when another text stands in its place, and it stays here. */
  takeBack(entry: Unsent, refusal: Refusal): boolean;
  /** Takes it all the same, because somebody asks for it; false while a post is under way, and it stays here. */
  insert(entry: Unsent): boolean;
  announce(sentence: string): void;
}

interface Bubble {
  readonly entry: Unsent;
  readonly proofs: Record<string, string>;
  readonly element: HTMLElement;
  commentId: string;
  /** Whether a post of it had no answer: then it may have arrived. */
  isLost: boolean;
  isFailed: boolean;
}

export class Outbox {
  readonly #store: Store;
  readonly #words: Words;
  readonly #host: OutboxHost;
  readonly #bubbles: Bubble[] = [];
  #isSending = false;
  #failures = 0;
  #timer = 0;

  constructor(store: Store, words: Words, host: OutboxHost) {
    this.#store = store;
    this.#words = words;
    this.#host = host;
    for (const entry of store.read().unsent) {
      this.#add(entry, {}, true);
    }
    window.addEventListener("online", () => {
      this.#sendNow();
    });
    store.onChange((_, now) => {
      // What another tab has sent comes with the thread.
      for (const bubble of [...this.#bubbles]) {
        if (!this.#isSending && !now.unsent.some((each) => each.clientId === bubble.entry.clientId)) {
          this.#drop(bubble);
        }
      }
    });
    void this.#run();
  }

  /** `proofs` are sent along as long as this page lives, and not written down; `isLost` after a post without answer. */
  add(entry: Unsent, proofs: Record<string, string> = {}, isLost = false): void {
    this.#store.addUnsent(entry);
    this.#add(entry, proofs, isLost);
    this.#sendNow();
  }

  /** Takes away what the thread now shows. A comment whose answer was lost is known by its text. */
  removeConfirmed(added: readonly HTMLElement[]): void {
    const own = new Set(added.filter((each) => "own" in each.dataset).map((each) => readBody(each)));
    for (const bubble of [...this.#bubbles]) {
      if (bubble.commentId !== "" && document.getElementById(`comment-${bubble.commentId}`) !== null) {
        this.#drop(bubble);
      } else if (bubble.isLost && own.has(collapse(bubble.entry.body))) {
        bubble.element.hidden = true;
      }
    }
  }

  /** Learns from the log that a comment has arrived, also where its answer was lost. */
  confirm(clientId: string, commentId: string): void {
    const bubble = this.#bubbles.find((each) => each.entry.clientId === clientId);
    if (bubble !== undefined && bubble.commentId === "" && !bubble.isFailed) {
      this.#accept(bubble, commentId);
      this.removeConfirmed([]);
    }
  }

  #sendNow(): void {
    window.clearTimeout(this.#timer);
    this.#failures = 0;
    void this.#run();
  }

  /** Sends one after the other, so that they arrive in the order of their writing. */
  async #run(): Promise<void> {
    if (this.#isSending) {
      return;
    }
    this.#isSending = true;
    let next = this.#next();
    while (next !== undefined && (await this.#send(next))) {
      next = this.#next();
    }
    this.#isSending = false;
  }

  #next(): Bubble | undefined {
    return this.#bubbles.find((each) => each.commentId === "" && !each.isFailed);
  }

  /** Returns whether the next one may be sent. */
  async #send(bubble: Bubble): Promise<boolean> {
    const { clientId, ...texts } = bubble.entry;
    this.#show(bubble, "sending");
    const fields = { client_id: clientId, ...texts, ...bubble.proofs };
    const answer = await this.#host.pauseDuring(() => postComment(this.#host.action, fields));
    if (bubble.commentId !== "" && answer.kind !== "done") {
      // The log has said meanwhile that it arrived.
      return true;
    }
    if (answer.kind === "lost") {
      bubble.isLost = true;
      this.#show(bubble, answer.cause === "offline" ? "waiting" : "retrying");
      this.#failures += 1;
      const delay = Math.min(FIRST_DELAY_MS * 2 ** (this.#failures - 1), LONGEST_DELAY_MS);
      this.#timer = window.setTimeout(() => void this.#run(), Math.max(delay, answer.retryAfterMs));
      return false;
    }
    this.#failures = 0;
    if (answer.kind === "refused") {
      this.#refuse(bubble, answer);
      return true;
    }
    if (bubble.commentId === "") {
      this.#accept(bubble, answer.commentId);
    }
    await this.#host.refresh();
    return true;
  }

  #accept(bubble: Bubble, commentId: string): void {
    this.#store.removeUnsent(bubble.entry.clientId);
    bubble.commentId = commentId;
    this.#show(bubble, "sent");
    this.#host.announce(this.#words("sent"));
  }

  #refuse(bubble: Bubble, refusal: Refusal): void {
    if (this.#host.takeBack(bubble.entry, refusal)) {
      this.#store.removeUnsent(bubble.entry.clientId);
      this.#drop(bubble);
    } else {
      bubble.isFailed = true;
      const reason = Object.values(refusal.errors)[0] ?? refusal.detail;
      this.#show(bubble, "failed", this.#words("failed", { reason }));
    }
  }

  #add(entry: Unsent, proofs: Record<string, string>, isLost: boolean): void {
    const element = createElement("li", "comment");
    element.dataset["side"] = "customer";
    const who = createElement("p", "who");
    const name = createElement("bdi", "name", this.#host.knownName || entry.name);
    who.append(name, " ", createElement("span", "side", this.#words("you")));
    const body = createElement("p", "body", entry.body);
    body.dir = "auto";
    element.append(who, body, createElement("p", "note"));
    this.#host.list.append(element);
    this.#bubbles.push({ entry, proofs, element, commentId: "", isLost, isFailed: false });
  }

  #show(bubble: Bubble, state: State, text?: string): void {
    bubble.element.dataset["state"] = state;
    const note = bubble.element.querySelector(".note");
    note?.replaceChildren(text ?? (state === "sent" ? "" : this.#words(state)));
    if (state === "failed") {
      // The comment in the thread that looks like it is another one.
      bubble.element.hidden = false;
    }
    if (state === "waiting" || state === "retrying" || state === "failed") {
      this.#host.announce(note?.textContent ?? "");
      const button = createElement("button", "word", this.#words(state === "failed" ? "back" : "again"));
      button.setAttribute("type", "button");
      button.addEventListener("click", () => {
        if (state !== "failed") {
          this.#sendNow();
        } else if (this.#host.insert(bubble.entry)) {
          this.#store.removeUnsent(bubble.entry.clientId);
          this.#drop(bubble);
        }
      });
      note?.append(" ", button);
    }
  }

  #drop(bubble: Bubble): void {
    bubble.element.remove();
    this.#bubbles.splice(this.#bubbles.indexOf(bubble), 1);
  }
}

function createElement(name: string, className: string, text = ""): HTMLElement {
  const element = document.createElement(name);
  element.className = className;
  element.textContent = text;
  return element;
}

function readBody(comment: HTMLElement): string {
  return collapse(comment.querySelector(".body")?.textContent ?? "");
}

/** Line ends and other white space of a comment in the thread may differ from what was typed. */
function collapse(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

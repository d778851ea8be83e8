/** Edits and deletes one's own comments in place. */

import { describeLost, postComment } from "./posting.ts";
import type { Words } from "./words.ts";

const EXPIRY_CHECK_MS = 5000;

/** `pauseDuring` keeps the thread as it is during an act, `refresh` fetches what has become of it. */
export interface Thread {
  pauseDuring<T>(act: () => Promise<T>): Promise<T>;
  refresh(): Promise<void>;
}

export function actInPlace(talk: HTMLElement, thread: Thread, words: Words): void {
  talk.addEventListener("submit", (event) => {
    const form = event.target as HTMLFormElement;
    if (form.matches("[data-act]")) {
      event.preventDefault();
      void act(form, thread, words);
    }
  });
  // The event of a <details> does not bubble.
  talk.addEventListener(
    "toggle",
    (event) => {
      const details = event.target as HTMLDetailsElement;
      const field = details.open ? details.querySelector<HTMLElement>("textarea") : null;
      field?.focus();
    },
    true,
  );
  window.setInterval(() => {
    hideExpired(talk);
  }, EXPIRY_CHECK_MS);
}

async function act(form: HTMLFormElement, thread: Thread, words: Words): Promise<void> {
  const button = form.querySelector("button");
  if (button === null || button.getAttribute("aria-disabled") === "true") {
    return;
  }
  // Not `disabled`, which would take the focus away.
  button.setAttribute("aria-disabled", "true");
  const fields = Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value)]));
  const answer = await thread.pauseDuring(() => postComment(form.action, fields));
  button.removeAttribute("aria-disabled");
  if (answer.kind === "done") {
    const details = form.closest("details");
    details?.removeAttribute("open");
    details?.querySelector("summary")?.focus({ preventScroll: true });
    await thread.refresh();
    return;
  }
  const reason =
    answer.kind === "lost" ? describeLost(answer.cause, words) : (Object.values(answer.errors)[0] ?? answer.detail);
  const error = form.querySelector<HTMLElement>("[data-error]");
  error?.replaceChildren(reason);
  form.querySelector("textarea")?.setAttribute("aria-invalid", "true");
}

/** Takes the edit away when its time is over, except from under somebody's hands: then the server says so. */
function hideExpired(talk: HTMLElement): void {
  for (const details of talk.querySelectorAll<HTMLDetailsElement>("details[data-until]:not([open])")) {
    if (Date.parse(details.dataset["until"] ?? "") < Date.now()) {
      details.hidden = true;
    }
  }
}

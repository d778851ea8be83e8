/** Reports that the newest comment of the other side was on screen for a second. */

import type { Store } from "./memory.ts";
import { post } from "./posting.ts";

const SEEN_AFTER_MS = 1000;

/** Returns what looks again after the thread has changed. */
export function reportSeen(talk: HTMLElement, store: Store): () => void {
  let timer = 0;
  let isOnScreen = false;
  let watched: Element | undefined;

  const wait = (): void => {
    window.clearTimeout(timer);
    if (isOnScreen && !document.hidden) {
      timer = window.setTimeout(() => void report(), SEEN_AFTER_MS);
    }
  };
  const observer = new IntersectionObserver((entries) => {
    isOnScreen = entries.at(-1)?.isIntersecting ?? false;
    wait();
  });
  const report = async (): Promise<void> => {
    const seq = talk.dataset["seq"] ?? "";
    const mark = `${talk.dataset["epoch"]}:${(watched as HTMLElement | undefined)?.dataset["seq"] ?? seq}`;
    if (store.read().seen === mark) {
      return;
    }
    const answer = await post(talk.dataset["seenUrl"] ?? "", { seq });
    if (answer.kind === "done") {
      store.write({ seen: mark });
    }
  };
  const look = (): void => {
    const newest = [...talk.querySelectorAll('[data-side="staff"]')].at(-1);
    if (newest !== watched) {
      observer.disconnect();
      watched = newest;
      isOnScreen = false;
      if (newest !== undefined) {
        observer.observe(newest);
      }
    }
  };
  document.addEventListener("visibilitychange", wait);
  look();
  return look;
}

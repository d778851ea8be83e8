/** Reports that the newest comment of the other side was on screen for a second. */

import type { Store } from "./memory.ts";
import { post } from "./posting.ts";

const SEEN_AFTER_MS = 1000;

/** Returns what looks again after the thread has changed. */
export function reportSeen(talk: HTMLElement, store: Store): () => void {
  let timer = 0;
  let isOnScreen = false;
  let watched: HTMLElement | undefined;

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
    const newest = Number(watched?.dataset["seq"] ?? 0);
    const mark = `${talk.dataset["epoch"]}:${newest}`;
    if (store.read().seen === mark) {
      return;
    }
    // The thread names its place before its comments are read: one that came in between has a later place.
    const seq = Math.max(newest, Number(talk.dataset["seq"] ?? 0));
    const answer = await post(talk.dataset["seenUrl"] ?? "", { seq: String(seq) });
    if (answer.kind === "done") {
      store.write({ seen: mark });
    }
  };
  const look = (): void => {
    const newest = [...talk.querySelectorAll<HTMLElement>('[data-side="staff"]')].at(-1);
    if (newest !== watched) {
      // The second that has begun was that of another comment.
      window.clearTimeout(timer);
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

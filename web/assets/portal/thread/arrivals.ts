/** Tells of comments of others that have come: to screen readers always, by a pill when they are out of sight. */

import type { Words } from "./words.ts";

/** Returns what takes the comments that have just been added, after each update of the thread. */
export function announceArrivals(pill: HTMLElement | null, words: Words, announce: (sentence: string) => void) {
  const button = pill?.querySelector("button");
  // By their ids: an update may replace the element of a comment.
  const observed = new Map<string, HTMLElement>();
  const unseen = new Set<string>();

  const refresh = (): void => {
    if (pill && button) {
      pill.hidden = unseen.size === 0;
      button.textContent = unseen.size === 1 ? words("one") : words("several", { count: unseen.size });
    }
  };
  const forget = (id: string): void => {
    observed.delete(id);
    unseen.delete(id);
  };
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (isIntersecting) {
        observer.unobserve(target);
        forget(target.id);
      } else if (target.isConnected) {
        unseen.add(target.id);
      }
    }
    refresh();
  });
  const observe = (comment: HTMLElement): void => {
    observed.set(comment.id, comment);
    observer.observe(comment);
  };
  const observeReplaced = (): void => {
    for (const [id, old] of [...observed].filter(([, each]) => !each.isConnected)) {
      observer.unobserve(old);
      const comment = document.getElementById(id);
      if (comment === null) {
        forget(id);
      } else {
        observe(comment);
      }
    }
    refresh();
  };
  button?.addEventListener("click", () => {
    const [id] = unseen;
    const first = document.getElementById(id ?? "");
    observer.disconnect();
    observed.clear();
    unseen.clear();
    refresh();
    first?.scrollIntoView({ block: "center" });
    first?.focus({ preventScroll: true });
  });

  return (added: readonly HTMLElement[]): void => {
    observeReplaced();
    const foreign = added.filter((each) => !("own" in each.dataset));
    for (const each of foreign) {
      observe(each);
    }
    const name = foreign.at(-1)?.querySelector(".name")?.textContent ?? "";
    if (foreign.length > 0) {
      announce(foreign.length === 1 ? words("arrived", { name }) : words("several", { count: foreign.length }));
    }
  };
}

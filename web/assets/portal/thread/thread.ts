/** Enhances the thread of the page: what a plain form does too happens in place. */

import { type Part, Refresher } from "../live/refresher.ts";
import { actInPlace } from "./acts.ts";
import { announceArrivals } from "./arrivals.ts";
import { Composer } from "./composer.ts";
import { Fragment } from "./fragment.ts";
import { Store } from "./memory.ts";
import type { Outbox } from "./outbox.ts";
import { keepTimesCurrent, refreshTimes } from "./relative-time.ts";
import { reportSeen } from "./seen.ts";
import { sendFrom } from "./sending.ts";
import { listenForShortcuts } from "./shortcuts.ts";
import { createAnnouncer, readWords, type Words } from "./words.ts";

/** The thread for what follows the log of the invoice. */
export interface EnhancedThread {
  readonly section: HTMLElement;
  readonly refresher: Refresher;
  readonly words: Words;
  announce(sentence: string): void;
  /** Takes a comment of this device as sent, whether or not its post was answered. */
  confirm(clientId: string, commentId: string): void;
}

/** `trouble` hears when the thread cannot be fetched. */
export function enhanceThread(root: ParentNode, trouble: Pick<Part, "stuck" | "gone">): EnhancedThread | undefined {
  const section = root.querySelector<HTMLElement>("section.thread");
  const talk = section?.querySelector<HTMLElement>("[data-thread]");
  if (!section || !talk) {
    return undefined;
  }
  const words = readWords(section);
  const announce = createAnnouncer(section.querySelector("[data-thread-says]"));
  const form = section.querySelector<HTMLFormElement>("form[data-composer]");
  const store = new Store(section.querySelector<HTMLElement>("[data-composer]")?.dataset["composer"] ?? "");
  const fragment = new Fragment(talk, () => void refresher.refreshAll());
  const arrive = announceArrivals(section.querySelector("[data-pill]"), words, announce);
  const look = reportSeen(talk, store);
  let outbox: Outbox | undefined;

  const apply = (html: string): boolean => {
    const added = fragment.update(html);
    if (added === undefined) {
      return false;
    }
    refreshTimes(talk, words("now"));
    outbox?.removeConfirmed(added);
    arrive(added);
    look();
    for (const link of document.querySelectorAll("[data-thread-link]")) {
      link.textContent = talk.dataset["link"] || link.textContent;
    }
    return true;
  };
  const refresher = new Refresher({
    ...trouble,
    address: talk.dataset["thread"] ?? "",
    apply,
    shows: (seq) => Number(talk.dataset["seq"]) >= seq,
  });
  const list = document.createElement("ol");
  list.className = "comments unsent";
  talk.after(list);
  const thread = {
    list,
    announce,
    words,
    pauseDuring: <T>(act: () => Promise<T>) => refresher.pauseDuring(act),
    refresh: async () => {
      await refresher.refresh();
    },
  };
  keepTimesCurrent(talk, words("now"));
  listenForShortcuts(section);
  actInPlace(talk, thread, words);
  if (form !== null) {
    outbox = sendFrom(new Composer(form, store), store, thread);
  }
  return {
    section,
    refresher,
    words,
    announce,
    confirm: (clientId, commentId) => outbox?.confirm(clientId, commentId),
  };
}

/** Enhances the thread of the page: what a plain form does too happens in place and by itself. */

import { actInPlace } from "./acts.ts";
import { announceArrivals } from "./arrivals.ts";
import { Composer } from "./composer.ts";
import { Fragment } from "./fragment.ts";
import { Store } from "./memory.ts";
import type { Outbox } from "./outbox.ts";
import { type Connection, Poller } from "./polling.ts";
import { keepTimesCurrent, refreshTimes } from "./relative-time.ts";
import { reportSeen } from "./seen.ts";
import { sendFrom } from "./sending.ts";
import { listenForShortcuts } from "./shortcuts.ts";
import { createAnnouncer, readWords } from "./words.ts";

export function enhanceThread(root: ParentNode): void {
  const section = root.querySelector<HTMLElement>("section.thread");
  const talk = section?.querySelector<HTMLElement>("[data-thread]");
  if (!section || !talk) {
    return;
  }
  const words = readWords(section);
  const announce = createAnnouncer(section.querySelector("[data-thread-says]"));
  const form = section.querySelector<HTMLFormElement>("form[data-composer]");
  const store = new Store(section.querySelector<HTMLElement>("[data-composer]")?.dataset["composer"] ?? "");
  const fragment = new Fragment(talk, () => void poller.refreshAll());
  const arrive = announceArrivals(section.querySelector("[data-pill]"), words, announce);
  const look = reportSeen(talk, store);
  let outbox: Outbox | undefined;

  const apply = (html: string): void => {
    const added = fragment.update(html);
    refreshTimes(talk, words("now"));
    outbox?.removeConfirmed(added);
    arrive(added);
    look();
    for (const link of document.querySelectorAll("[data-thread-link]")) {
      link.textContent = talk.dataset["link"] || link.textContent;
    }
  };
  const poller = new Poller(talk.dataset["thread"] ?? "", apply, (connection) => {
    showConnection(section, connection, words(connection));
  });
  const list = document.createElement("ol");
  list.className = "comments unsent";
  talk.after(list);
  const thread = {
    list,
    announce,
    words,
    pauseDuring: <T>(act: () => Promise<T>) => poller.pauseDuring(act),
    refresh: () => poller.refresh(),
  };
  keepTimesCurrent(talk, words("now"));
  listenForShortcuts(section);
  actInPlace(talk, thread, words);
  poller.start();
  if (form !== null) {
    outbox = sendFrom(new Composer(form, store), store, thread);
  }
}

function showConnection(section: HTMLElement, connection: Connection, word: string): void {
  const state = section.querySelector<HTMLElement>("[data-connection]");
  if (state !== null) {
    state.dataset["state"] = connection;
    state.querySelector("[data-word]")?.replaceChildren(word);
  }
}

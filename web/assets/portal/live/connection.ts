/** Shows how the page hears of news: a dot with a word. Only a loss that lasts is announced, and that it is over. */

import type { Connection } from "./supervisor.ts";

// A tunnel, a change of networks: nobody needs to be told.
const LASTS_MS = 4000;

/** Returns what shows a connection in `state`; `words` returns the word of one, or the sentence that it is back. */
export function showConnection(
  state: HTMLElement | null,
  words: (name: Connection | "back") => string,
  announce: (sentence: string) => void,
): (connection: Connection) => void {
  let isLossAnnounced = false;
  let timer = 0;
  return (connection) => {
    if (state === null || state.dataset["state"] === connection) {
      return;
    }
    state.dataset["state"] = connection;
    state.querySelector("[data-word]")?.replaceChildren(words(connection));
    window.clearTimeout(timer);
    if (connection === "gone") {
      announce(words(connection));
    } else if (connection === "offline") {
      timer = window.setTimeout(() => {
        isLossAnnounced = true;
        announce(words(connection));
      }, LASTS_MS);
    } else if (isLossAnnounced) {
      isLossAnnounced = false;
      announce(words("back"));
    }
  };
}

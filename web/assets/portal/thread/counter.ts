/** Counts characters, once the limit comes near. */

import type { Words } from "./words.ts";

const SHOWN_WITHIN = 400;

/** Returns what refreshes the count after the text was changed by a script. */
export function countCharacters(field: HTMLTextAreaElement, counter: HTMLElement | null, limit: number, words: Words) {
  const refresh = (): void => {
    if (counter === null) {
      return;
    }
    // As the server counts: characters, not units of UTF-16.
    const left = limit - [...field.value].length;
    counter.hidden = left > SHOWN_WITHIN;
    counter.toggleAttribute("data-over", left < 0);
    counter.textContent = counter.hidden ? "" : words(left < 0 ? "over" : "left", { count: Math.abs(left) });
  };
  field.addEventListener("input", refresh);
  refresh();
  return refresh;
}

/** The sentences of the composer's template, and what announces them to screen readers. */

import { fillIn } from "../pdf/words.ts";

// Long enough to be heard after whatever a screen reader is saying.
const ANNOUNCED_FOR_MS = 6000;

/** Returns a sentence of the composer's template by its name, with its gaps filled in. */
export type Words = (name: string, values?: Record<string, string | number>) => string;

export function readWords(form: HTMLElement | null): Words {
  return (name, values = {}) => fillIn(form?.dataset[name], values);
}

/** Announces a sentence politely, and clears it when it has been heard. */
export function createAnnouncer(region: HTMLElement | null): (sentence: string) => void {
  let clearing = 0;
  return (sentence) => {
    if (region !== null) {
      region.textContent = sentence;
      window.clearTimeout(clearing);
      clearing = window.setTimeout(() => {
        region.textContent = "";
      }, ANNOUNCED_FOR_MS);
    }
  };
}

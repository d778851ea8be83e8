/** The bar below the pages: which page, and how large. */

import { fillIn, formatPercent } from "./words.ts";
import type { Zoom } from "./zoom.ts";
import { FACTORS } from "./zoom.ts";

// CSS pixels of the bar: below, the chosen size is shown in one word.
const MIN_WIDTH_FOR_WORDS = 480;

export interface ControlActions {
  page: (number: number) => void;
  zoom: (zoom: Zoom) => void;
  step: (direction: 1 | -1) => void;
}

export class Controls {
  readonly #frame: HTMLElement;
  readonly #field: HTMLInputElement;
  readonly #size: HTMLSelectElement;
  #page = 1;
  #pages = 1;

  constructor(frame: HTMLElement, actions: ControlActions) {
    this.#frame = frame;
    this.#field = this.#part("page");
    this.#size = this.#part("size");
    for (const factor of FACTORS) {
      if (factor !== 1) {
        this.#size.append(new Option(formatPercent(factor), String(factor)));
      }
    }
    this.#part("previous").addEventListener("click", () => {
      actions.page(this.#page - 1);
    });
    this.#part("next").addEventListener("click", () => {
      actions.page(this.#page + 1);
    });
    this.#part("larger").addEventListener("click", () => {
      actions.step(1);
    });
    this.#part("smaller").addEventListener("click", () => {
      actions.step(-1);
    });
    this.#size.addEventListener("change", () => {
      actions.zoom(this.#size.value === "width" ? "width" : Number(this.#size.value));
    });
    this.#field.addEventListener("change", () => {
      const number = Number(this.#field.value.trim());
      if (Number.isInteger(number) && number >= 1) {
        actions.page(Math.min(number, this.#pages));
      }
      this.showPage(this.#page);
    });
    this.#field.addEventListener("focus", () => {
      this.#field.select();
    });
  }

  setPageCount(count: number): void {
    this.#pages = count;
    const of = this.#part("of");
    of.textContent = fillIn(of.dataset["text"], { pages: count });
    this.#field.size = String(count).length;
    this.#field.maxLength = String(count).length;
    this.#frame.querySelector(".paging")?.toggleAttribute("data-single", count === 1);
  }

  showPage(number: number): void {
    this.#page = number;
    this.#field.value = String(number);
    // Not `disabled`, which would take the focus from a button that was just pressed.
    this.#part("previous").setAttribute("aria-disabled", String(number <= 1));
    this.#part("next").setAttribute("aria-disabled", String(number >= this.#pages));
  }

  showZoom(zoom: Zoom, factor: number): void {
    for (const option of this.#size.options) {
      if (option.dataset["text"] !== undefined) {
        option.textContent = this.#label(option, zoom, factor);
      }
    }
    this.#size.value = String(zoom);
    this.#part("larger").setAttribute("aria-disabled", String(factor >= (FACTORS.at(-1) ?? 1)));
    this.#part("smaller").setAttribute("aria-disabled", String(factor <= FACTORS[0]));
  }

  /** A narrow bar has no room for both words and percent of the chosen size. */
  #label(option: HTMLOptionElement, zoom: Zoom, factor: number): string {
    const isChosen = option.value === String(zoom);
    const isNarrow = this.#frame.clientWidth < MIN_WIDTH_FOR_WORDS;
    if (option.value === "width") {
      const { plain, text } = option.dataset;
      return fillIn(isChosen && !isNarrow ? text : plain, { percent: formatPercent(factor) });
    }
    return isChosen && isNarrow ? formatPercent(1) : fillIn(option.dataset["text"], { percent: formatPercent(1) });
  }

  #part<T extends HTMLElement>(name: string): T {
    return this.#frame.querySelector(`[data-part="${name}"]`) as T;
  }
}

/** The bar below the pages: which page, and how large. */

import type { Zoom } from "./zoom.ts";
import { FACTORS } from "./zoom.ts";
import { filled, percent } from "./words.ts";

// CSS pixels of the bar below which a chosen size is said in one word.
const NARROW = 480;

export interface Asked {
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

  constructor(frame: HTMLElement, asked: Asked) {
    this.#frame = frame;
    this.#field = this.#part("page");
    this.#size = this.#part("size");
    for (const factor of FACTORS) {
      if (factor !== 1) {
        this.#size.append(new Option(percent(factor), String(factor)));
      }
    }
    this.#part("previous").addEventListener("click", () => {
      asked.page(this.#page - 1);
    });
    this.#part("next").addEventListener("click", () => {
      asked.page(this.#page + 1);
    });
    this.#part("larger").addEventListener("click", () => {
      asked.step(1);
    });
    this.#part("smaller").addEventListener("click", () => {
      asked.step(-1);
    });
    this.#size.addEventListener("change", () => {
      asked.zoom(this.#size.value === "width" ? "width" : Number(this.#size.value));
    });
    this.#field.addEventListener("change", () => {
      const wanted = Number(this.#field.value.trim());
      if (Number.isInteger(wanted) && wanted >= 1) {
        asked.page(Math.min(wanted, this.#pages));
      }
      this.showPage(this.#page);
    });
    this.#field.addEventListener("focus", () => {
      this.#field.select();
    });
  }

  pages(count: number): void {
    this.#pages = count;
    const of = this.#part("of");
    of.textContent = filled(of.dataset["text"], { pages: count });
    this.#field.size = String(count).length;
    this.#field.maxLength = String(count).length;
    this.#frame.querySelector(".paging")?.toggleAttribute("data-single", count === 1);
  }

  showPage(number: number): void {
    this.#page = number;
    this.#field.value = String(number);
    // Not `disabled`, which would throw the focus of whoever just pressed it.
    this.#part("previous").setAttribute("aria-disabled", String(number <= 1));
    this.#part("next").setAttribute("aria-disabled", String(number >= this.#pages));
  }

  showZoom(zoom: Zoom, factor: number): void {
    for (const option of this.#size.options) {
      if (option.dataset["text"] !== undefined) {
        option.textContent = this.#textOf(option, zoom, factor);
      }
    }
    this.#size.value = String(zoom);
    this.#part("larger").setAttribute("aria-disabled", String(factor >= (FACTORS.at(-1) ?? 1)));
    this.#part("smaller").setAttribute("aria-disabled", String(factor <= FACTORS[0]));
  }

  /** A narrow bar has no room for both words and percent of what is chosen. */
  #textOf(option: HTMLOptionElement, zoom: Zoom, factor: number): string {
    const isChosen = option.value === String(zoom);
    const isNarrow = this.#frame.clientWidth < NARROW;
    if (option.value === "width") {
      const { plain, text } = option.dataset;
      return filled(isChosen && !isNarrow ? text : plain, { percent: percent(factor) });
    }
    return isChosen && isNarrow ? percent(1) : filled(option.dataset["text"], { percent: percent(1) });
  }

  #part<T extends HTMLElement>(name: string): T {
    return this.#frame.querySelector(`[data-part="${name}"]`) as T;
  }
}

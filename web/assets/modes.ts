/** Shows the invoice as Live or as PDF, as the address says; the viewer of PDFs is fetched when it is first wanted. */

import { type Choice, choiceOf, onPlainClick } from "./choice.ts";
import { Cover } from "./cover.ts";
import type { Viewer } from "./pdf/viewer.ts";

type Mode = "live" | "pdf";

const ADDRESS = "#pdf";
// Whatever comes sooner replaces the paper with nothing in between.
const QUIET_FOR_MS = 300;

export function switchModes(root: Document): void {
  const layout = root.querySelector<HTMLElement>("[data-mode]");
  const group = root.querySelector<HTMLElement>("[data-modes]");
  const template = root.querySelector<HTMLTemplateElement>("template[data-viewer]");
  if (layout === null || group === null || template === null) {
    return;
  }
  const modes = new Modes(layout, group, template);
  // Those of the group have their roles by now.
  for (const link of root.querySelectorAll<HTMLElement>("a[data-shows='pdf']:not([role])")) {
    onPlainClick(link, () => {
      modes.choose("pdf");
    });
  }
  const follow = (): void => {
    modes.follow(window.location.hash);
  };
  window.addEventListener("popstate", follow);
  window.addEventListener("hashchange", follow);
  follow();
}

class Modes {
  readonly #layout: HTMLElement;
  readonly #template: HTMLTemplateElement;
  readonly #choice: Choice;
  readonly #cover: Cover;
  #mode: Mode = "live";
  #frame: HTMLElement | undefined;
  #viewer: Viewer | undefined;
  // Counts what was chosen: what was begun for an earlier choice no longer shows anything.
  #turn = 0;

  constructor(layout: HTMLElement, group: HTMLElement, template: HTMLTemplateElement) {
    this.#layout = layout;
    this.#template = template;
    this.#choice = choiceOf(group, (what) => {
      this.choose(what === "pdf" ? "pdf" : "live");
    });
    this.#cover = new Cover(layout, () => {
      this.choose("live");
    });
    this.#choice.mark(this.#mode);
  }

  /** Does what somebody asks for, and puts it into the address. */
  choose(mode: Mode): void {
    if (mode === this.#mode) {
      return;
    }
    if (mode === "pdf") {
      window.history.pushState({ opened: true }, "", ADDRESS);
    } else if ((window.history.state as { opened?: boolean } | null)?.opened) {
      // The step to the PDF is taken back, so that going back from Live leaves the page.
      window.history.back();
    } else {
      window.history.replaceState(null, "", window.location.pathname + window.location.search);
    }
    this.#apply(mode);
  }

  /** Does what the address says; a place within the page says nothing about the mode. */
  follow(hash: string): void {
    if (hash === ADDRESS || hash === "") {
      this.#apply(hash === ADDRESS ? "pdf" : "live");
    }
  }

  #apply(mode: Mode): void {
    if (mode === this.#mode) {
      return;
    }
    this.#mode = mode;
    this.#choice.mark(mode);
    if (mode === "pdf") {
      void this.#open();
    } else {
      this.#turn += 1;
      this.#viewer?.close();
      this.#show();
    }
  }

  async #open(): Promise<void> {
    this.#turn += 1;
    const turn = this.#turn;
    const show = (): void => {
      if (turn === this.#turn) {
        this.#show();
      }
    };
    const frame = (this.#frame ??= this.#placed());
    window.setTimeout(show, QUIET_FOR_MS);
    try {
      this.#viewer ??= new (await import("./pdf/viewer.ts")).Viewer(frame);
    } catch {
      // Our own host did not answer: a PDF would not come either.
      sayMissing(frame);
      window.addEventListener("online", () => turn === this.#turn && void this.#open(), { once: true });
    }
    if (turn === this.#turn) {
      await this.#viewer?.open();
    }
    show();
  }

  #placed(): HTMLElement {
    this.#template.after(this.#template.content.cloneNode(true));
    const frame = this.#template.nextElementSibling as HTMLElement;
    for (const button of frame.querySelectorAll<HTMLElement>("[data-retry]")) {
      button.addEventListener("click", () => {
        // The button goes away with what it stands in.
        frame.focus();
        frame.dataset["state"] = "loading";
        this.#viewer?.close();
        void this.#open();
      });
    }
    for (const button of frame.querySelectorAll<HTMLElement>("[data-back]")) {
      button.addEventListener("click", () => {
        this.choose("live");
      });
    }
    return frame;
  }

  #show(): void {
    this.#layout.dataset["mode"] = this.#mode;
    this.#cover.show(this.#mode === "pdf" ? this.#frame : undefined);
  }
}

/** Says that not even the viewer could be fetched. */
function sayMissing(frame: HTMLElement): void {
  const state = window.navigator.onLine ? "failed" : "offline";
  frame.dataset["state"] = state;
  const words = [...frame.querySelectorAll(`[data-notice="${state}"] p`)].map((each) => each.textContent);
  frame.querySelector("[data-says]")?.replaceChildren(words.join(". "));
}

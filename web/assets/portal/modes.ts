/** Shows the invoice as Live or as PDF, as the history entry says; the viewer is fetched when it is first opened. */

import { type Choice, createChoice, isPlain } from "./choice.ts";
import { Overlay } from "./overlay.ts";
import type { Viewer } from "./pdf/viewer.ts";

type Mode = "live" | "pdf";

/** What a history entry holds. `isPushed`: choosing PDF added the entry, so that going back leads to Live. */
interface Entry {
  mode: Mode;
  isPushed?: boolean;
}

const PDF_HASH = "#pdf";
// Until then the paper stays with nothing over it: a PDF that comes sooner replaces it at once.
const SHOW_AFTER_MS = 300;

/** Returns what has a PDF that is being waited for asked for at once. */
export function switchModes(root: Document): () => void {
  const layout = root.querySelector<HTMLElement>("[data-mode]");
  const group = root.querySelector<HTMLElement>("[data-modes]");
  const template = root.querySelector<HTMLTemplateElement>("template[data-viewer]");
  if (layout === null || group === null || template === null) {
    return () => undefined;
  }
  const modes = new Modes(layout, group, template);
  // The links of the group have roles. The others are parts of the page that are replaced when the invoice changes.
  root.addEventListener("click", (event) => {
    if (isPlain(event) && (event.target as Element).closest("a[data-shows='pdf']:not([role])") !== null) {
      event.preventDefault();
      modes.choose("pdf");
    }
  });
  const follow = (): void => {
    modes.follow();
  };
  window.addEventListener("popstate", follow);
  window.addEventListener("hashchange", follow);
  follow();
  return () => {
    modes.hurry();
  };
}

class Modes {
  readonly #layout: HTMLElement;
  readonly #template: HTMLTemplateElement;
  readonly #choice: Choice;
  readonly #overlay: Overlay;
  #mode: Mode = "live";
  #frame: HTMLElement | undefined;
  #viewer: Viewer | undefined;
  // Counts the choices: what an earlier one began does not show anything any more.
  #turn = 0;

  constructor(layout: HTMLElement, group: HTMLElement, template: HTMLTemplateElement) {
    this.#layout = layout;
    this.#template = template;
    this.#choice = createChoice(group, (option) => {
      this.choose(option === "pdf" ? "pdf" : "live");
    });
    this.#overlay = new Overlay(layout, () => {
      this.choose("live");
    });
    this.#choice.mark(this.#mode);
  }

  /** Changes the mode and records it in the history. */
  choose(mode: Mode): void {
    if (mode === this.#mode) {
      return;
    }
    if (mode === "pdf") {
      window.history.pushState({ mode, isPushed: true } satisfies Entry, "", PDF_HASH);
    } else if (readEntry()?.isPushed) {
      // Takes the entry of the PDF back, so that going back from Live leaves the page.
      window.history.back();
    } else {
      window.history.replaceState({ mode } satisfies Entry, "", window.location.pathname + window.location.search);
    }
    this.#apply(mode);
  }

  /** Takes the mode of the current history entry; an entry without one gets it, so that a reload finds it. */
  follow(): void {
    const entry = readEntry() ?? { mode: this.#modeOf(window.location.hash) };
    window.history.replaceState(entry, "");
    this.#apply(entry.mode);
  }

  /** The PDF may be there by now. */
  hurry(): void {
    this.#viewer?.hurry();
  }

  /** A hash that names a place in the page (a skip link) does not change the mode. */
  #modeOf(hash: string): Mode {
    if (hash === PDF_HASH) {
      return "pdf";
    }
    return hash === "" ? "live" : this.#mode;
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
    this.#frame ??= this.#createFrame();
    const frame = this.#frame;
    window.setTimeout(show, SHOW_AFTER_MS);
    try {
      this.#viewer ??= new (await import("./pdf/viewer.ts")).Viewer(frame);
    } catch {
      // Our own host did not answer: a PDF would not come either.
      showScriptMissing(frame);
      window.addEventListener("online", () => turn === this.#turn && void this.#open(), { once: true });
    }
    if (turn === this.#turn) {
      await this.#viewer?.open();
    }
    show();
  }

  #createFrame(): HTMLElement {
    this.#template.after(this.#template.content.cloneNode(true));
    const frame = this.#template.nextElementSibling as HTMLElement;
    frame.dataset["state"] = "loading";
    for (const button of frame.querySelectorAll<HTMLElement>("[data-retry]")) {
      button.addEventListener("click", () => {
        // The button disappears with its notice.
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
    this.#overlay.show(this.#mode === "pdf" ? this.#frame : undefined);
  }
}

/** Returns what we stored in the current history entry; undefined when there is nothing of ours. */
function readEntry(): Entry | undefined {
  const state = window.history.state as Partial<Entry> | null;
  return state?.mode === "live" || state?.mode === "pdf" ? { ...state, mode: state.mode } : undefined;
}

/** Says that not even the viewer's script could be fetched. */
function showScriptMissing(frame: HTMLElement): void {
  const state = window.navigator.onLine ? "failed" : "offline";
  frame.dataset["state"] = state;
  const texts = [...frame.querySelectorAll(`[data-notice="${state}"] p`)].map((each) => each.textContent);
  frame.querySelector("[data-says]")?.replaceChildren(texts.join(". "));
}

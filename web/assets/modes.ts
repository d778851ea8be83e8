/** Shows the invoice as Live or as PDF, as the address says; the viewer of PDFs is fetched when it is first wanted. */

import { choiceOf, onPlainClick } from "./choice.ts";
import { coverPage } from "./cover.ts";
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
  let mode: Mode = "live";
  let frame: HTMLElement | undefined;
  let viewer: Viewer | undefined;
  let opening = 0;
  const choice = choiceOf(group, (what) => {
    choose(what === "pdf" ? "pdf" : "live");
  });
  const cover = coverPage(layout, () => {
    choose("live");
  });

  function choose(next: Mode): void {
    if (next === mode) {
      return;
    }
    if (next === "pdf") {
      window.history.pushState({ opened: true }, "", ADDRESS);
    } else if ((window.history.state as { opened?: boolean } | null)?.opened) {
      // The step to the PDF is taken back, so that going back from Live leaves the page.
      window.history.back();
    } else {
      window.history.replaceState(null, "", window.location.pathname + window.location.search);
    }
    apply(next);
  }

  function follow(): void {
    const { hash } = window.location;
    // A place within the page says nothing about the mode.
    apply(hash === ADDRESS ? "pdf" : hash === "" ? "live" : mode);
  }

  function apply(next: Mode): void {
    choice.mark(next);
    if (next === mode) {
      return;
    }
    mode = next;
    if (mode === "pdf") {
      void open();
    } else {
      opening += 1;
      viewer?.close();
      show();
    }
  }

  async function open(): Promise<void> {
    opening += 1;
    const ours = opening;
    frame ??= placed(template as HTMLTemplateElement);
    window.setTimeout(() => {
      if (ours === opening) {
        show();
      }
    }, QUIET_FOR_MS);
    try {
      viewer ??= (await import("./pdf/viewer.ts")).viewerOf(frame);
    } catch {
      // Our own host did not answer: a PDF would not come either.
      missing(frame);
    }
    if (ours === opening) {
      await viewer?.open();
    }
    if (ours === opening) {
      show();
    }
  }

  function placed(from: HTMLTemplateElement): HTMLElement {
    from.after(from.content.cloneNode(true));
    const made = from.nextElementSibling as HTMLElement;
    for (const button of made.querySelectorAll<HTMLElement>("[data-retry]")) {
      button.addEventListener("click", () => {
        made.focus();
        made.dataset["state"] = "loading";
        viewer?.close();
        void open();
      });
    }
    for (const button of made.querySelectorAll<HTMLElement>("[data-back]")) {
      button.addEventListener("click", () => {
        choose("live");
      });
    }
    return made;
  }

  function missing(made: HTMLElement): void {
    const state = window.navigator.onLine ? "failed" : "offline";
    made.dataset["state"] = state;
    const words = [...made.querySelectorAll(`[data-notice="${state}"] p`)].map((each) => each.textContent);
    made.querySelector("[data-says]")?.replaceChildren(words.join(". "));
  }

  function show(): void {
    (layout as HTMLElement).dataset["mode"] = mode;
    cover(mode === "pdf" ? frame : undefined);
  }

  for (const link of root.querySelectorAll<HTMLElement>("a[data-shows='pdf']:not([role])")) {
    onPlainClick(link, () => {
      choose("pdf");
    });
  }
  window.addEventListener("popstate", follow);
  window.addEventListener("hashchange", follow);
  choice.mark(mode);
  follow();
}

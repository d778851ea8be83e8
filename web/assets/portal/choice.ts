/** Makes a group of links one choice: radio buttons by role and keyboard; in a new tab they open as links. */

export interface Choice {
  /** Marks one of the links as chosen. */
  mark(chosen: string): void;
}

/** `data-shows` of each link names its option; `choose` gets the option and decides whether to mark it. */
export function createChoice(group: HTMLElement, choose: (option: string) => void): Choice {
  const links = [...group.querySelectorAll<HTMLAnchorElement>("a[data-shows]")];
  group.setAttribute("role", "radiogroup");
  for (const link of links) {
    link.setAttribute("role", "radio");
    link.removeAttribute("aria-current");
    onPlainClick(link, () => {
      choose(link.dataset["shows"] ?? "");
    });
    link.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, " ": 0 }[event.key];
      if (step === undefined || event.ctrlKey || event.metaKey || event.altKey) {
        return;
      }
      event.preventDefault();
      // The arrows go round: `at` counts from the end below zero.
      const next = links.at((links.indexOf(link) + step) % links.length);
      next?.focus();
      choose(next?.dataset["shows"] ?? "");
    });
  }
  return {
    mark(chosen) {
      for (const link of links) {
        const isChosen = link.dataset["shows"] === chosen;
        link.setAttribute("aria-checked", String(isChosen));
        link.tabIndex = isChosen ? 0 : -1;
      }
    },
  };
}

/** Runs `act` instead of following a link, except for clicks that open it in a new tab or window. */
function onPlainClick(link: HTMLElement, act: () => void): void {
  link.addEventListener("click", (event) => {
    if (isPlain(event)) {
      event.preventDefault();
      act();
    }
  });
}

/** Whether a click on a link would open it in place. */
export function isPlain(event: MouseEvent): boolean {
  return !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
}

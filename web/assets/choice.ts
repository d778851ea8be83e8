/** Makes a group of links one choice: radio buttons by role and keyboard, links still to whoever opens one beside. */

export interface Choice {
  /** Marks one of the links as chosen. */
  mark(chosen: string): void;
}

/** `data-shows` of each link names what it stands for; `choose` is told what is asked for, never marks by itself. */
export function choiceOf(group: HTMLElement, choose: (what: string) => void): Choice {
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
      // As many steps beyond the end as before the beginning: a choice of two goes round.
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

/** Runs `act` instead of following a link, but for clicks that open it in a tab or window of its own. */
export function onPlainClick(link: HTMLElement, act: () => void): void {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) {
      return;
    }
    event.preventDefault();
    act();
  });
}

/** Keys while the pages have the focus; the browser scrolls by arrows, Page Up, Page Down, Home and End. */

export interface KeyActions {
  page: (by: 1 | -1) => void;
  step: (direction: 1 | -1) => void;
  fit: () => void;
}

export function listenToKeys(pages: HTMLElement, actions: KeyActions): void {
  pages.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const act = findAction(event.key, pages, actions);
    if (act !== undefined) {
      event.preventDefault();
      act();
    }
  });
}

function findAction(key: string, pages: HTMLElement, actions: KeyActions): (() => void) | undefined {
  const isWider = pages.scrollWidth > pages.clientWidth;
  switch (key) {
    case "+":
    case "=":
      return () => {
        actions.step(1);
      };
    case "-":
      return () => {
        actions.step(-1);
      };
    case "0":
      return actions.fit;
    case "ArrowLeft":
    case "ArrowRight":
      // Pages wider than their place are scrolled sideways.
      return isWider
        ? undefined
        : () => {
            actions.page(key === "ArrowRight" ? 1 : -1);
          };
    default:
      return undefined;
  }
}

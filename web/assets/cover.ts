/** On a phone the PDF covers the page: only it can be reached, Escape leaves it, and focus goes back to where it was. */

const PHONE = "(width < 720px)";

/** Returns what is told the element that covers the page, or undefined when the page is to be seen again. */
export function coverPage(layout: HTMLElement, leave: () => void): (shown: HTMLElement | undefined) => void {
  const phone = window.matchMedia(PHONE);
  let frame: HTMLElement | undefined;
  let before: Element | null = null;

  function update(): void {
    const covering = phone.matches ? frame : undefined;
    for (const each of beside(layout)) {
      each.inert = covering !== undefined;
    }
    frame?.setAttribute("role", covering ? "dialog" : "region");
    frame?.toggleAttribute("aria-modal", covering !== undefined);
    if (covering) {
      covering.setAttribute("aria-modal", "true");
      if (!covering.contains(document.activeElement)) {
        covering.querySelector<HTMLElement>("[data-back]")?.focus();
      }
    }
  }

  layout.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && phone.matches && frame?.contains(event.target as Node)) {
      leave();
    }
  });
  phone.addEventListener("change", update);
  return (shown) => {
    if (shown === frame) {
      return;
    }
    const left = shown === undefined && phone.matches && frame?.contains(document.activeElement);
    before = shown === undefined ? before : document.activeElement;
    const next = shown ?? frame;
    if (shown === undefined) {
      frame?.removeAttribute("aria-modal");
    }
    frame = shown;
    update();
    if (left && next !== undefined && before instanceof HTMLElement) {
      before.focus({ preventScroll: true });
    }
  };
}

/** Everything on the page but the way down to the stage, in which the PDF is. */
function beside(layout: HTMLElement): HTMLElement[] {
  const others = [...(layout.parentElement?.children ?? []), ...layout.children];
  return others.filter(
    (each): each is HTMLElement => each instanceof HTMLElement && each !== layout && !each.matches(".stage, .announcer"),
  );
}

/** On a phone the PDF covers the page: only it can be reached, Escape leaves it, and focus goes back to where it was. */

const PHONE = "(width < 720px)";

export class Cover {
  readonly #layout: HTMLElement;
  readonly #phone = window.matchMedia(PHONE);
  #frame: HTMLElement | undefined;
  #before: Element | null = null;

  /** `leave` is run when somebody wants to see the page again. */
  constructor(layout: HTMLElement, leave: () => void) {
    this.#layout = layout;
    layout.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#phone.matches && this.#frame?.contains(event.target as Node)) {
        leave();
      }
    });
    this.#phone.addEventListener("change", () => {
      this.#update();
      this.#keepInView();
    });
  }

  /** Takes the element that covers the page, or undefined when the page is to be seen again. */
  show(frame: HTMLElement | undefined): void {
    if (frame === this.#frame) {
      return;
    }
    const left = frame === undefined && this.#phone.matches;
    if (frame !== undefined) {
      this.#before = document.activeElement;
    }
    this.#frame = frame;
    this.#update();
    if (left && this.#before instanceof HTMLElement) {
      this.#before.focus({ preventScroll: true });
    }
  }

  #update(): void {
    const covers = this.#frame !== undefined && this.#phone.matches;
    for (const each of this.#beside()) {
      each.inert = covers;
    }
    this.#frame?.setAttribute("role", covers ? "dialog" : "region");
    if (!covers) {
      this.#frame?.removeAttribute("aria-modal");
      return;
    }
    this.#frame?.setAttribute("aria-modal", "true");
    if (!this.#frame?.contains(document.activeElement)) {
      this.#frame?.querySelector<HTMLElement>("[data-back]")?.focus();
    }
  }

  /** Who turns a phone goes on reading: the frame may stand far down the page that it covered. */
  #keepInView(): void {
    if (this.#frame === undefined || this.#phone.matches) {
      return;
    }
    this.#frame.scrollIntoView({ block: "nearest" });
    if (!document.activeElement?.checkVisibility({ visibilityProperty: true }) || document.activeElement === document.body) {
      this.#frame.focus({ preventScroll: true });
    }
  }

  /** Everything on the page but the stage, in which the PDF is, and what holds it. */
  #beside(): HTMLElement[] {
    const others = [...(this.#layout.parentElement?.children ?? []), ...this.#layout.children];
    return others.filter(
      (each): each is HTMLElement =>
        each instanceof HTMLElement && each !== this.#layout && !each.matches(".stage, .announcer"),
    );
  }
}

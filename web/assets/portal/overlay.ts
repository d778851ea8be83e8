/** On a phone the viewer is a modal dialog over the page: Escape closes it, and focus returns to where it was. */

import { bringIntoView } from "./view.ts";

const PHONE = "(width < 720px)";

export class Overlay {
  readonly #layout: HTMLElement;
  readonly #phone = window.matchMedia(PHONE);
  #viewer: HTMLElement | undefined;
  #focusedBefore: Element | null = null;

  /** `close` is called when the reader wants to see the page again. */
  constructor(layout: HTMLElement, close: () => void) {
    this.#layout = layout;
    layout.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.#phone.matches && this.#viewer?.contains(event.target as Node)) {
        close();
      }
    });
    this.#phone.addEventListener("change", () => {
      this.#update();
      this.#followTurn();
    });
  }

  /** Shows the viewer; hides it when it is undefined. */
  show(viewer: HTMLElement | undefined): void {
    if (viewer === this.#viewer) {
      return;
    }
    const isLeft = viewer === undefined && this.#phone.matches;
    if (viewer !== undefined) {
      this.#focusedBefore = document.activeElement;
    }
    this.#viewer = viewer;
    this.#update();
    if (viewer !== undefined && !this.#phone.matches) {
      bringIntoView(viewer);
    }
    if (isLeft && this.#focusedBefore instanceof HTMLElement) {
      this.#focusedBefore.focus({ preventScroll: true });
    }
  }

  #update(): void {
    const isModal = this.#viewer !== undefined && this.#phone.matches;
    for (const each of this.#outside()) {
      each.inert = isModal;
    }
    this.#viewer?.setAttribute("role", isModal ? "dialog" : "region");
    if (!isModal) {
      this.#viewer?.removeAttribute("aria-modal");
      return;
    }
    this.#viewer?.setAttribute("aria-modal", "true");
    if (!this.#viewer?.contains(document.activeElement)) {
      this.#viewer?.querySelector<HTMLElement>("[data-back]")?.focus();
    }
  }

  /** Keeps viewer and focus in the window when a phone is turned and the dialog becomes a part of the page. */
  #followTurn(): void {
    if (this.#viewer === undefined || this.#phone.matches) {
      return;
    }
    bringIntoView(this.#viewer);
    if (
      !document.activeElement?.checkVisibility({ visibilityProperty: true }) ||
      document.activeElement === document.body
    ) {
      this.#viewer.focus({ preventScroll: true });
    }
  }

  /** Everything on the page except the stage, which holds the viewer, and the ancestors of the stage. */
  #outside(): HTMLElement[] {
    const others = [...(this.#layout.parentElement?.children ?? []), ...this.#layout.children];
    return others.filter(
      (each): each is HTMLElement =>
        each instanceof HTMLElement && each !== this.#layout && !each.matches(".stage, .announcer"),
    );
  }
}

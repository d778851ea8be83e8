/** Scrolls to an element that is not whole in the window, and focuses it; does nothing when it is. */
export function bringIntoView(element: HTMLElement): void {
  const { top, bottom } = element.getBoundingClientRect();
  if (top >= 0 && bottom <= window.innerHeight) {
    return;
  }
  element.scrollIntoView({ block: "start" });
  element.focus({ preventScroll: true });
}

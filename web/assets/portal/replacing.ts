/** Replaces an element by a newer one from the server, under the hands of whoever uses it. */

const FOCUSABLE = "a[href], button, summary, textarea";

/** What has the focus in the element keeps it: in the newer one it goes to what stands at the same place. */
export function replaceElement(old: Element, fresh: HTMLElement): void {
  const place = [...old.querySelectorAll(FOCUSABLE)].indexOf(document.activeElement as Element);
  const hadFocus = old.contains(document.activeElement);
  old.replaceWith(document.adoptNode(fresh));
  if (hadFocus) {
    const focusable = fresh.querySelectorAll<HTMLElement>(FOCUSABLE)[place] ?? fresh;
    focusable.focus({ preventScroll: true });
  }
}

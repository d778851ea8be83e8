/** Ctrl+Enter or Cmd+Enter in a text field sends its form, Escape closes an edit. */

export function listenForShortcuts(root: HTMLElement): void {
  root.addEventListener("keydown", (event) => {
    const target = event.target as HTMLElement;
    // Enter also ends a word that an input method composes; a key that is held down sends once.
    if (event.isComposing || event.repeat) {
      return;
    }
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && target instanceof HTMLTextAreaElement) {
      event.preventDefault();
      target.form?.requestSubmit();
    }
    const act = target.closest<HTMLDetailsElement>("details.act[open]");
    if (event.key === "Escape" && act !== null) {
      act.open = false;
      act.querySelector("summary")?.focus();
    }
  });
}

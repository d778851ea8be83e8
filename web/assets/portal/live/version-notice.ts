/** Says above the paper that the invoice was changed; the reader decides when to see how. */

/** Returns what shows the notice, once. */
export function prepareVersionNotice(root: Document, announce: (sentence: string) => void): () => void {
  const notices = [...root.querySelectorAll<HTMLElement>("[data-changed]")];
  for (const notice of notices) {
    notice.querySelector("button")?.addEventListener("click", () => {
      window.location.reload();
    });
  }
  return () => {
    if (notices.some((each) => each.hidden)) {
      for (const notice of notices) {
        notice.hidden = false;
      }
      announce(notices[0]?.querySelector("[data-notice]")?.textContent ?? "");
    }
  };
}

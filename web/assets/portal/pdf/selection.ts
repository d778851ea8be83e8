/** Stops a selection made with the pointer from jumping to the end of the page between two lines. */

export function stabilizeSelection(pages: HTMLElement): void {
  const stop = (): void => {
    for (const layer of pages.querySelectorAll(".layer.selecting")) {
      layer.classList.remove("selecting");
    }
  };
  pages.addEventListener("pointerdown", (event) => {
    const layer = (event.target as Element).closest(".layer");
    // A finger scrolls; it selects by the handles of the system.
    if (event.pointerType === "mouse" && layer !== null) {
      layer.classList.add("selecting");
    }
  });
  document.addEventListener("pointerup", stop);
  window.addEventListener("blur", stop);
}

/** Keeps a selection that is drawn with the pointer from jumping to the end of the page between two lines. */

export function steadySelection(desk: HTMLElement): void {
  const rest = (): void => {
    for (const layer of desk.querySelectorAll(".layer.selecting")) {
      layer.classList.remove("selecting");
    }
  };
  desk.addEventListener("pointerdown", (event) => {
    const layer = (event.target as Element).closest(".layer");
    // A finger scrolls; what it selects it selects by the handles of its own.
    if (event.pointerType === "mouse" && layer !== null) {
      layer.classList.add("selecting");
    }
  });
  document.addEventListener("pointerup", rest);
  window.addEventListener("blur", rest);
}

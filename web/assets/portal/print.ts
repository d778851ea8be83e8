/** Opens the browser's print dialogue; the print style shows only the paper. */

export function printOnClick(root: ParentNode): void {
  for (const button of root.querySelectorAll<HTMLButtonElement>("button[data-print]")) {
    button.addEventListener("click", () => {
      window.print();
    });
  }
}

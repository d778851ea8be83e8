/** What keys do while the pages have the focus; scrolling by arrows, Page Up, Page Down, Home, End is the browser's. */

export interface Moves {
  page: (by: 1 | -1) => void;
  step: (direction: 1 | -1) => void;
  fit: () => void;
}

export function listenToKeys(desk: HTMLElement, moves: Moves): void {
  desk.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    const act = actOf(event.key, desk, moves);
    if (act !== undefined) {
      event.preventDefault();
      act();
    }
  });
}

function actOf(key: string, desk: HTMLElement, moves: Moves): (() => void) | undefined {
  const isWider = desk.scrollWidth > desk.clientWidth;
  switch (key) {
    case "+":
    case "=":
      return () => {
        moves.step(1);
      };
    case "-":
      return () => {
        moves.step(-1);
      };
    case "0":
      return moves.fit;
    case "ArrowLeft":
    case "ArrowRight":
      // Where there is something beside, they scroll to it.
      return isWider
        ? undefined
        : () => {
            moves.page(key === "ArrowRight" ? 1 : -1);
          };
    default:
      return undefined;
  }
}

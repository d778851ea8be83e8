/** How large the pages are: as wide as their place, or a factor of their size on paper. */

export type Zoom = "width" | number;

export const FACTORS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4] as const;

// A smaller change is not seen.
const MIN_STEP = 1.05;

/** Returns the next larger factor, or the largest. */
export function zoomIn(factor: number): number {
  return FACTORS.find((each) => each > factor * MIN_STEP) ?? FACTORS[FACTORS.length - 1] ?? factor;
}

/** Returns the next smaller factor, or the smallest. */
export function zoomOut(factor: number): number {
  return [...FACTORS].reverse().find((each) => each < factor / MIN_STEP) ?? FACTORS[0];
}

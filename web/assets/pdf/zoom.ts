/** How large the pages are: as wide as their place, or a factor of their size on paper. */

export type Zoom = "width" | number;

export const FACTORS = [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 3, 4] as const;

// Neighbours closer than this look the same.
const STEP = 1.05;

export function larger(factor: number): number {
  return FACTORS.find((each) => each > factor * STEP) ?? FACTORS[FACTORS.length - 1] ?? factor;
}

export function smaller(factor: number): number {
  return [...FACTORS].reverse().find((each) => each < factor / STEP) ?? FACTORS[0];
}

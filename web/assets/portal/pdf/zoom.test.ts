import { expect, test } from "vitest";

import { FACTORS, zoomIn, zoomOut } from "./zoom.ts";

test("the keys step through all factors and stop at both ends", () => {
  const up = [...FACTORS.slice(1), 4];
  expect(FACTORS.map((each) => zoomIn(each))).toEqual(up);
  expect(FACTORS.map((each) => zoomOut(each))).toEqual([0.25, ...FACTORS.slice(0, -1)]);
});

test("a factor between two steps goes to the neighbours, but for one that looks the same", () => {
  expect([zoomIn(1.1), zoomOut(1.1)]).toEqual([1.25, 1]);
  expect([zoomIn(0.98), zoomOut(1.02)]).toEqual([1.25, 0.75]);
});

test("beyond the ends the nearest end is returned", () => {
  expect([zoomIn(9), zoomOut(0.01)]).toEqual([4, 0.25]);
});

import { expect, test } from "vitest";

import { prepareVersionNotice } from "./version-notice.ts";

test("the notice stands in both places and is announced once", () => {
  const notice = '<div data-changed hidden><p data-notice>It was changed.</p><button type="button">Show</button></div>';
  document.body.innerHTML = notice + notice;
  const announced: string[] = [];
  const show = prepareVersionNotice(document, (sentence) => announced.push(sentence));
  show();
  show();
  expect(document.querySelectorAll("[data-changed]:not([hidden])").length).toBe(2);
  expect(announced).toEqual(["It was changed."]);
});

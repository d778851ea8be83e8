import { beforeEach, expect, test } from "vitest";

import { countCharacters } from "./counter.ts";

let field: HTMLTextAreaElement;
let counter: HTMLElement;

beforeEach(() => {
  document.body.innerHTML = "<textarea></textarea><p hidden></p>";
  field = document.querySelector("textarea") as HTMLTextAreaElement;
  counter = document.querySelector("p") as HTMLElement;
  countCharacters(field, counter, 4000, (name, values) => `${values?.["count"]} ${name}`);
});

test.each([
  ["x".repeat(3599), true, ""],
  ["x".repeat(3600), false, "400 left"],
  ["x".repeat(4000), false, "0 left"],
  ["x".repeat(4001), false, "1 over"],
  // Two units of UTF-16, one character.
  ["😀".repeat(3600), false, "400 left"],
])("the count comes near the limit", (text, isHidden, says) => {
  field.value = text;
  field.dispatchEvent(new Event("input"));
  expect([counter.hidden, counter.textContent, "over" in counter.dataset]).toEqual([
    isHidden,
    says,
    says.endsWith("over"),
  ]);
});

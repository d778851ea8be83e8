import { expect, onTestFinished, test, vi } from "vitest";

async function load(language: string): Promise<typeof import("./words.ts")> {
  document.documentElement.lang = language;
  vi.resetModules();
  // All files share the page and the modules.
  onTestFinished(() => {
    document.documentElement.lang = "";
    vi.resetModules();
  });
  return import("./words.ts");
}

test("gaps are filled and unknown ones stay", async () => {
  const { fillIn } = await load("en");
  expect(fillIn("Page {page} of {pages}", { page: 2, pages: 7 })).toBe("Page 2 of 7");
  expect(fillIn("{when} {else}", { when: "now" })).toBe("now {else}");
  expect(fillIn(undefined, {})).toBe("");
});

test.each([
  ["en", "50%", "in 89 seconds", "in 2 minutes", "in 3 minutes"],
  ["de", "50\u00a0%", "in 89 Sekunden", "in 2 Minuten", "in 3 Minuten"],
])("numbers are in the language of the page (%s), and long delays in whole minutes", async (language, ...expected) => {
  const { formatDelay, formatPercent } = await load(language);
  expect([formatPercent(0.5), formatDelay(89), formatDelay(90), formatDelay(121)]).toEqual(expected);
});

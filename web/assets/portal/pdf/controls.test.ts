import { beforeEach, expect, test } from "vitest";

import { Controls } from "./controls.ts";

let calls: (string | number)[][];
let frame: HTMLElement;
let controls: Controls;

const part = <T extends HTMLElement>(name: string): T => frame.querySelector(`[data-part="${name}"]`) as T;
const isDisabled = (name: string): boolean => part(name).getAttribute("aria-disabled") === "true";

beforeEach(() => {
  document.body.innerHTML = `<div id="frame"><div class="paging">
    <button data-part="previous"></button><input data-part="page"><span data-part="of" data-text="of {pages}"></span>
    <button data-part="next"></button></div>
    <button data-part="smaller"></button><select data-part="size">
    <option value="width" data-plain="Fit width" data-text="Fit width ({percent})"></option>
    <option value="1" data-text="Actual size ({percent})"></option></select><button data-part="larger"></button></div>`;
  frame = document.querySelector("#frame") as HTMLElement;
  calls = [];
  controls = new Controls(frame, {
    page: (number) => calls.push(["page", number]),
    zoom: (zoom) => calls.push(["zoom", zoom]),
    step: (direction) => calls.push(["step", direction]),
  });
  controls.setPageCount(12);
  controls.showPage(3);
});

function enter(text: string): void {
  part<HTMLInputElement>("page").value = text;
  part("page").dispatchEvent(new Event("change"));
}

test("buttons ask for the neighbouring pages and sizes", () => {
  for (const name of ["previous", "next", "larger", "smaller"]) {
    part(name).click();
  }
  expect(calls).toEqual([
    ["page", 2],
    ["page", 4],
    ["step", 1],
    ["step", -1],
  ]);
});

test("the field goes to a page, at most to the last, and takes back what is no page", () => {
  enter(" 7 ");
  enter("99");
  for (const text of ["0", "-2", "1.5", "x", ""]) {
    enter(text);
  }
  expect(calls).toEqual([
    ["page", 7],
    ["page", 12],
  ]);
  expect(part<HTMLInputElement>("page").value).toBe("3");
});

test("the ends are told without taking the focus from the button", () => {
  expect([isDisabled("previous"), isDisabled("next")]).toEqual([false, false]);
  controls.showPage(12);
  expect([isDisabled("previous"), isDisabled("next"), part("of").textContent]).toEqual([false, true, "of 12"]);
  controls.setPageCount(1);
  controls.showPage(1);
  expect([isDisabled("previous"), isDisabled("next")]).toEqual([true, true]);
  expect(part<HTMLButtonElement>("next").disabled).toBe(false);
});

test("the list of sizes names the chosen one with its percentage, where it has room", () => {
  Object.defineProperty(frame, "clientWidth", { value: 800, configurable: true });
  const texts = (): string[] => [...part<HTMLSelectElement>("size").options].slice(0, 2).map((each) => each.text);
  controls.showZoom("width", 0.88);
  expect([texts(), part<HTMLSelectElement>("size").value]).toEqual([
    ["Fit width (88%)", "Actual size (100%)"],
    "width",
  ]);
  Object.defineProperty(frame, "clientWidth", { value: 390, configurable: true });
  controls.showZoom(1, 1);
  expect([texts(), part<HTMLSelectElement>("size").value]).toEqual([["Fit width", "100%"], "1"]);
});

test("choosing a size asks for it, and the largest and smallest are ends", () => {
  const size = part<HTMLSelectElement>("size");
  for (const value of ["2", "width"]) {
    size.value = value;
    size.dispatchEvent(new Event("change"));
  }
  expect(calls).toEqual([
    ["zoom", 2],
    ["zoom", "width"],
  ]);
  controls.showZoom(4, 4);
  expect([isDisabled("larger"), isDisabled("smaller")]).toEqual([true, false]);
  controls.showZoom(0.25, 0.25);
  expect([isDisabled("larger"), isDisabled("smaller")]).toEqual([false, true]);
});

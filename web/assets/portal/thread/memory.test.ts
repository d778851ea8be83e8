import { beforeEach, expect, test, vi } from "vitest";

import { makeClientId, Store } from "./memory.ts";

const entry = { clientId: "1", body: "Hello", name: "Ana", email: "ana@x.example" };

beforeEach(() => {
  window.localStorage.clear();
});

test("what one page writes the next page of the same invoice reads, and that of another does not", () => {
  new Store("a").write({ name: "Ana", text: "Hel" });
  new Store("a").write({ text: "Hello" });
  expect(new Store("a").read()).toMatchObject({ name: "Ana", text: "Hello", email: "" });
  expect(new Store("b").read().text).toBe("");
});

test("an unsent comment is kept once, until it is removed", () => {
  const store = new Store("a");
  store.addUnsent(entry);
  store.addUnsent(entry);
  expect(new Store("a").read().unsent).toEqual([entry]);
  store.removeUnsent("1");
  expect(new Store("a").read().unsent).toEqual([]);
});

test("to forget is to forget the threads of all invoices, and nothing else", () => {
  new Store("a").write({ text: "a" });
  new Store("b").write({ text: "b" });
  window.localStorage.setItem("other", "kept");
  new Store("a").forgetAll();
  expect(Object.keys(window.localStorage)).toEqual(["other"]);
});

test("storage that is refused or holds nonsense is as good as empty, and the page goes on", () => {
  window.localStorage.setItem("thread:a", "{nonsense");
  expect(new Store("a").read().text).toBe("");
  vi.spyOn(window, "localStorage", "get").mockImplementation(() => {
    throw new DOMException("refused", "SecurityError");
  });
  const store = new Store("a");
  store.write({ text: "Hello" });
  expect(store.read().text).toBe("Hello");
  store.forgetAll();
  expect(store.read().text).toBe("");
});

test("a client id is a UUID, and no other", () => {
  const ids = new Set(Array.from({ length: 100 }, makeClientId));
  expect(ids.size).toBe(100);
  for (const id of ids) {
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
});

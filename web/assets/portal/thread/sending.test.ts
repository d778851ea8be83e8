import { beforeEach, expect, test, vi } from "vitest";

import { endListenersWithTest } from "../../testing/browser.ts";
import { Composer } from "./composer.ts";
import { Store } from "./memory.ts";
import type { Outbox } from "./outbox.ts";
import { sendFrom } from "./sending.ts";

interface Call {
  fields: Record<string, string>;
  answer(status: number, content?: object | string): void;
  fail(): void;
}

const FORM = `<form class="composer" action="/c" data-composer="i" data-limit="4000" data-sending="Sending"
    data-waiting="Waiting" data-retrying="Retrying" data-failed="Not sent: {reason}" data-again="Try now"
    data-back="Back" data-sent="Sent" data-you="you"><input type="hidden" name="form_token" value="t">
  <p data-error="form"></p>
  <textarea name="body" required></textarea><p data-counter></p><p data-error="body"></p>
  <p data-as hidden><bdi data-as-name></bdi><button type="button" data-change></button>
    <button formaction="/forget" data-forget></button></p>
  <div data-identity><input name="name" required><p data-error="name"></p>
    <input name="email" type="email" required><p data-error="email"></p></div>
  <div data-challenge="code" hidden><p data-explains></p><input name="code"><p data-error="code"></p></div>
  <div data-challenge="totp" hidden><p data-explains></p><input name="totp"><p data-error="totp"></p></div>
  <button data-send></button><button name="resend" value="1" data-resend></button><p data-hint></p></form><ol></ol>`;

let calls: Call[];
let announced: string[];
let refreshed: number;
let store: Store;
let outbox: Outbox;
const get = <T extends Element = HTMLElement>(selector: string): T => document.querySelector(selector) as T;
const text = (): string => get<HTMLTextAreaElement>("textarea").value;
const bubbles = (): (string | undefined)[] =>
  [...document.querySelectorAll<HTMLElement>("ol li")].map((each) => each.dataset["state"]);

function load(): void {
  document.body.innerHTML = `<section class="thread">${FORM}</section>`;
  store = new Store("i");
  outbox = sendFrom(new Composer(get<HTMLFormElement>("form"), store), store, {
    list: get("ol"),
    pauseDuring: (act) => act(),
    refresh: async () => {
      refreshed += 1;
    },
    announce: (sentence) => announced.push(sentence),
    words: (name) => name,
  });
}

beforeEach(() => {
  vi.useFakeTimers();
  window.localStorage.clear();
  endListenersWithTest();
  [calls, announced, refreshed] = [[], [], 0];
  vi.stubGlobal("fetch", (_: string, init: { body?: URLSearchParams }) => {
    return new Promise<Response>((resolve, reject) => {
      calls.push({
        fields: Object.fromEntries(init.body ?? []),
        answer: (status, content = {}) =>
          resolve(new Response(typeof content === "string" ? content : JSON.stringify(content), { status })),
        fail: () => reject(new TypeError("no network")),
      });
    });
  });
  load();
});

function type(values: Record<string, string>): void {
  for (const [name, value] of Object.entries(values)) {
    const field = get<HTMLInputElement>(`[name="${name}"]`);
    field.value = value;
    field.dispatchEvent(new InputEvent("input", { bubbles: true }));
  }
}

async function send(body = "Hello"): Promise<void> {
  type({ body, name: "Ana", email: "ana@x.example" });
  await press("[data-send]");
}

async function press(selector: string): Promise<void> {
  get<HTMLButtonElement>(selector).click();
  await settle();
}

async function settle(): Promise<void> {
  await vi.advanceTimersByTimeAsync(0);
}

test("a comment is shown before it is answered, and the answer brings it into the thread", async () => {
  await send();
  expect([text(), bubbles(), get("ol .body").textContent]).toEqual(["", ["sending"], "Hello"]);
  expect(calls[0]?.fields).toMatchObject({ body: "Hello", name: "Ana", email: "ana@x.example", form_token: "t" });
  calls[0]?.answer(201, { comment_id: "c", form_token: "t2" });
  await settle();
  expect([bubbles(), announced, refreshed, store.read().unsent]).toEqual([["sent"], ["Sent"], 1, []]);
  expect(get<HTMLInputElement>('[name="form_token"]').value).toBe("t2");
});

test("a double click sends one comment, and no second one without a text", async () => {
  await send();
  calls[0]?.answer(201, { comment_id: "c" });
  await settle();
  await press("[data-send]");
  expect(calls.length).toBe(1);
  await vi.advanceTimersByTimeAsync(1000);
  await press("[data-send]");
  expect(calls.length).toBe(2);
});

test("a lost answer is asked for again with the same id, later each time, until it comes", async () => {
  await send();
  for (const delay of [2000, 4000, 8000]) {
    calls.at(-1)?.fail();
    await vi.advanceTimersByTimeAsync(delay - 1);
    expect(bubbles()).toEqual(["retrying"]);
    await vi.advanceTimersByTimeAsync(1);
  }
  calls.at(-1)?.answer(200, { comment_id: "c" });
  await settle();
  expect(new Set(calls.map((each) => each.fields["client_id"])).size).toBe(1);
  expect([calls.length, bubbles()]).toEqual([4, ["sent"]]);
});

test("a server that says when to come again is believed, and a button does not wait", async () => {
  await send();
  calls[0]?.answer(503);
  await settle();
  expect(get("ol .note").textContent).toBe("Retrying Try now");
  await press("ol button");
  expect(calls.length).toBe(2);
});

/** The thread shows a new comment of one's own. */
function show(body: string): void {
  const comment = document.createElement("li");
  comment.dataset["own"] = "";
  comment.innerHTML = '<p class="body"></p>';
  comment.firstElementChild?.append(body);
  outbox.removeConfirmed([comment]);
}

test("a comment whose answer was lost is hidden when the thread shows it, however its lines end", async () => {
  await send("Two\nlines");
  show("Two\nlines");
  expect(get("ol li").hidden).toBe(false);
  calls[0]?.fail();
  await settle();
  show("Two \r\nlines");
  expect(get("ol li").hidden).toBe(true);
});

test("a hidden comment that is refused after all is shown again", async () => {
  await send("Same");
  calls[0]?.fail();
  await settle();
  show("Same");
  type({ body: "Another" });
  await vi.advanceTimersByTimeAsync(2000);
  calls[1]?.answer(403, { code: "write.closed", detail: "Comments are closed." });
  await settle();
  expect([bubbles(), get("ol li").hidden]).toEqual([["failed"], false]);
});

test("a success without a comment, as of a network's sign-in page, is no answer", async () => {
  await send();
  calls[0]?.answer(200, "<p>Sign in to this network</p>");
  await settle();
  expect([calls.length, bubbles(), store.read().unsent.length, announced]).toEqual([1, ["retrying"], 1, ["Retrying"]]);
  await vi.advanceTimersByTimeAsync(2000);
  calls[1]?.answer(201, { comment_id: "c" });
  await settle();
  expect([calls.length, bubbles()]).toEqual([2, ["sent"]]);
});

test("a comment that was on its way when the tab ended is sent by the next one", async () => {
  await send();
  load();
  await settle();
  expect([calls.length, bubbles()]).toEqual([2, ["sending"]]);
  expect(calls[1]?.fields["client_id"]).toBe(calls[0]?.fields["client_id"]);
});

test.each(["ana@x.example", "nonsense"])("at no moment of sending is the text written down nowhere", async (email) => {
  type({ body: "Hello", name: "Ana", email });
  const written: string[] = [];
  const setItem = Storage.prototype.setItem;
  vi.spyOn(Storage.prototype, "setItem").mockImplementation(function write(this: Storage, key, value) {
    written.push(value);
    setItem.call(this, key, value);
  });
  await press("[data-send]");
  expect([store.read().text, store.read().unsent.length]).toEqual(["", 1]);
  expect(written.filter((each) => !each.includes("Hello"))).toEqual([]);
});

test("comments arrive in the order of their writing", async () => {
  await send("One");
  await send("Two");
  expect(calls.length).toBe(1);
  calls[0]?.answer(201, { comment_id: "1" });
  await settle();
  expect(calls[1]?.fields["body"]).toBe("Two");
});

test("a missing proof takes the text back and opens its challenge, which is then sent along", async () => {
  await send();
  calls[0]?.answer(403, { code: "proof.required", proof: "code", detail: "We sent a code." });
  await settle();
  expect([text(), bubbles(), store.read().text]).toEqual(["Hello", [], "Hello"]);
  expect([get('[data-challenge="code"]').hidden, get("[data-explains]").textContent]).toEqual([
    false,
    "We sent a code.",
  ]);
  expect(document.activeElement).toBe(get('[name="code"]'));
  type({ code: "123456" });
  await press("[data-send]");
  // Not shown before it is answered: the code may be wrong.
  expect([text(), bubbles(), calls[1]?.fields["code"]]).toEqual(["Hello", [], "123456"]);
  calls[1]?.answer(403, { code: "code.wrong", proof: "code", detail: "Wrong.", errors: { code: "Wrong." } });
  await settle();
  expect([get('[data-error="code"]').textContent, get("[data-explains]").textContent]).toEqual([
    "Wrong.",
    "We sent a code.",
  ]);
  await press("[data-send]");
  calls[2]?.answer(201, { comment_id: "c" });
  await settle();
  expect([text(), get('[data-challenge="code"]').hidden, get<HTMLInputElement>('[name="code"]').value]).toEqual([
    "",
    true,
    "",
  ]);
});

test("a lost answer to a code is asked for with the code again", async () => {
  await send();
  calls[0]?.answer(403, { code: "proof.required", proof: "code", detail: "We sent a code." });
  await settle();
  type({ code: "123456" });
  await press("[data-send]");
  calls[1]?.fail();
  await vi.advanceTimersByTimeAsync(2000);
  expect(calls.at(-1)?.fields).toMatchObject({ code: "123456", client_id: calls[1]?.fields["client_id"] });
  expect(window.localStorage.getItem("thread:i")).not.toContain("123456");
});

test("errors stand at their fields, the first one is focused, and the text stays", async () => {
  type({ body: "Hello", name: "Ana", email: "nonsense" });
  await press("[data-send]");
  calls[0]?.answer(400, { code: "email.invalid", errors: { email: "Enter an address." } });
  await settle();
  const email = get<HTMLInputElement>('[name="email"]');
  expect([text(), email.getAttribute("aria-invalid"), document.activeElement]).toEqual(["Hello", "true", email]);
  expect(get('[data-error="email"]').textContent).toBe("Enter an address.");
});

test("a refusal leaves the focus in another form, where somebody writes by then", async () => {
  document.body.insertAdjacentHTML("beforeend", '<textarea id="edit"></textarea>');
  await send();
  get("#edit").focus();
  calls[0]?.answer(403, { code: "proof.required", proof: "code", detail: "We sent a code." });
  await settle();
  expect([text(), document.activeElement]).toEqual(["Hello", get("#edit")]);
});

test("an error without a place at a field stands above the form", async () => {
  get('[data-error="email"]').remove();
  await send();
  calls[0]?.answer(403, { code: "email.blocked", errors: { email: "This address is blocked." } });
  await settle();
  expect([text(), get('[data-error="form"]').textContent]).toEqual(["Hello", "This address is blocked."]);
});

test("a refusal while another text is being written stays where it was, with the reason and a way back", async () => {
  await send("First");
  type({ body: "Second" });
  calls[0]?.answer(403, { code: "write.closed", detail: "Comments are closed.", errors: {} });
  await settle();
  expect([bubbles(), get("ol .note").textContent]).toEqual([["failed"], "Not sent: Comments are closed. Back"]);
  await press("ol button");
  expect([text(), bubbles(), store.read().unsent]).toEqual(["Second\n\nFirst", [], []]);
});

test("a refused comment stays where it is while another post is under way", async () => {
  await send("First");
  type({ body: "Second", email: "nonsense" });
  calls[0]?.answer(403, { code: "write.closed", detail: "Comments are closed.", errors: {} });
  await settle();
  await press("[data-send]");
  await press("ol button");
  expect([text(), bubbles(), store.read().unsent.map((each) => each.body)]).toEqual([
    "Second",
    ["failed"],
    ["First", "Second"],
  ]);
  calls[1]?.answer(201, { comment_id: "c" });
  await settle();
  await press("ol button");
  expect([text(), bubbles(), store.read().text]).toEqual(["First", [], "First"]);
});

test("a form token that has ended is taken from the page, and the comment is sent once more", async () => {
  await send();
  calls[0]?.answer(403, { code: "form.token" });
  await settle();
  calls[1]?.answer(200, '<section class="thread"><form><input name="form_token" value="fresh"></form></section>');
  await settle();
  expect(calls[2]?.fields).toEqual({ ...calls[0]?.fields, form_token: "fresh" });
});

test("a new code is asked for with the fields as they are, and nothing is sent twice", async () => {
  await send();
  calls[0]?.answer(403, { code: "proof.required", proof: "code", detail: "We sent a code." });
  await settle();
  await press("[data-resend]");
  expect(calls[1]?.fields).toMatchObject({ resend: "1", body: "Hello" });
  calls[1]?.answer(429, { code: "code.throttled", proof: "code", detail: "Wait.", errors: { code: "Wait." } });
  await settle();
  expect([text(), get('[data-error="code"]').textContent, store.read().unsent]).toEqual(["Hello", "Wait.", []]);
});

test("what is typed is remembered letter by letter, and filled in by the next page", () => {
  type({ body: "Hel", name: "Ana", email: "ana@x.example" });
  load();
  expect([text(), get("[data-as]").hidden, get("[data-as-name]").textContent]).toEqual(["Hel", false, "Ana"]);
  expect(get("[data-identity]").hidden).toBe(true);
  get("[data-change]").click();
  expect([get("[data-identity]").hidden, document.activeElement]).toEqual([false, get('[name="name"]')]);
});

test("to forget is left to the form, after this device has forgotten", () => {
  type({ body: "Secret", name: "Ana", email: "ana@x.example" });
  const submitted = vi.fn((event: Event) => event.preventDefault());
  document.addEventListener("submit", submitted, { once: true });
  get<HTMLButtonElement>("[data-forget]").click();
  expect([submitted.mock.calls.length, window.localStorage.length]).toEqual([1, 0]);
});

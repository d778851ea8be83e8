/** The form that writes a comment: who writes, what is proven, and what was wrong stand in it; the text is kept. */

import { countCharacters } from "./counter.ts";
import { fitHeight } from "./height.ts";
import type { Memory, Store } from "./memory.ts";
import type { Refusal } from "./posting.ts";
import { readWords, type Words } from "./words.ts";

const FIELDS = ["name", "email", "body", "code", "totp"] as const;

/** What stands in the form; empty where it has no such field. */
export type Typed = Record<(typeof FIELDS)[number], string>;

export class Composer {
  readonly form: HTMLFormElement;
  readonly words: Words;
  readonly text: HTMLTextAreaElement;
  readonly #store: Store;
  readonly #refreshText: () => void;

  constructor(form: HTMLFormElement, store: Store) {
    this.form = form;
    this.words = readWords(form);
    this.text = form.elements.namedItem("body") as HTMLTextAreaElement;
    this.#store = store;
    // The server says what is wrong, in words, at the field.
    form.noValidate = true;
    const count = countCharacters(
      this.text,
      form.querySelector("[data-counter]"),
      Number(form.dataset["limit"]),
      this.words,
    );
    const fitText = fitHeight(this.text);
    this.#refreshText = () => {
      count();
      fitText();
    };
    this.#restore();
    this.#remember();
  }

  /** Whether nothing is known to stand in the way of a comment: then it is shown before it is answered. */
  get isExpectedToPass(): boolean {
    const isAsked = this.form.querySelector("[data-challenge]:not([hidden])") !== null;
    const hint = this.form.querySelector("[data-hint]")?.textContent?.trim() ?? "";
    return this.form.checkValidity() && this.text.value.trim() !== "" && !isAsked && hint === "";
  }

  read(): Typed {
    const data = new FormData(this.form);
    return Object.fromEntries(FIELDS.map((name) => [name, String(data.get(name) ?? "")])) as Typed;
  }

  /** Puts a text into the field, and remembers it. */
  writeText(text: string): void {
    this.#store.write({ text });
    this.#setText(text);
  }

  /** Empties the form of what was sent. */
  clear(): void {
    this.writeText("");
    this.showErrors({});
    this.#showChallenge("", "");
    for (const name of ["code", "totp"]) {
      this.#field(name).value = "";
    }
    this.#collapse();
  }

  /** After a proof was given: nothing is asked for any more. */
  forgetHint(): void {
    this.form.querySelector("[data-hint]")?.replaceChildren();
  }

  showRefusal(refusal: Refusal): void {
    const hasErrors = Object.values(refusal.errors).some(Boolean);
    if (refusal.proof !== "") {
      // An error stands at its field, below the sentence that is there.
      this.#showChallenge(refusal.proof, hasErrors ? undefined : refusal.detail);
      this.#collapse();
      this.showErrors(refusal.errors, refusal.proof);
    } else {
      this.showErrors(hasErrors ? refusal.errors : { form: this.words("failed", { reason: refusal.detail }) });
    }
  }

  /** Shows each error at its field, or above the form, and focuses the first field, or the one that is asked for. */
  showErrors(errors: Record<string, string>, asked = ""): void {
    const places = [...this.form.querySelectorAll<HTMLElement>("[data-error]")];
    const names = new Set(places.map((place) => place.dataset["error"] ?? ""));
    // Who is signed in has no field for a name or an address.
    const others = Object.keys(errors).filter((name) => !names.has(name));
    const form = ["form", ...others].map((name) => errors[name] ?? "").filter(Boolean);
    let first: HTMLElement | undefined;
    for (const place of places) {
      const name = place.dataset["error"] ?? "";
      const error = name === "form" ? form.join(" ") : (errors[name] ?? "");
      place.textContent = error;
      const field = this.form.elements.namedItem(name);
      if (field instanceof HTMLElement) {
        field.removeAttribute("aria-invalid");
        if (error !== "") {
          field.setAttribute("aria-invalid", "true");
          first ??= field;
        }
      }
    }
    if (first?.closest("[data-identity]")) {
      this.#expand();
    }
    const target = first ?? ((FIELDS as readonly string[]).includes(asked) ? this.#field(asked) : undefined);
    if (this.#mayTakeFocus) {
      target?.focus();
    }
  }

  get isBusy(): boolean {
    return this.form.ariaBusy === "true";
  }

  /** While a post is under way the text stays as it was sent. */
  set isBusy(isBusy: boolean) {
    this.form.ariaBusy = String(isBusy);
    this.text.readOnly = isBusy;
    this.form.querySelector("[data-send]")?.setAttribute("aria-disabled", String(isBusy));
  }

  /** An answer that comes late leaves the focus where somebody writes by then. */
  get #mayTakeFocus(): boolean {
    const active = document.activeElement ?? document.body;
    return active === document.body || this.form.contains(active);
  }

  #setText(text: string): void {
    this.text.value = text;
    this.#refreshText();
  }

  #field(name: string): HTMLInputElement {
    return this.form.elements.namedItem(name) as HTMLInputElement;
  }

  /** Fills in what this device remembers, where the server has not filled in something itself. */
  #restore(): void {
    const memory = this.#store.read();
    const texts: Record<string, string> = { name: memory.name, email: memory.email, body: memory.text };
    for (const [name, text] of Object.entries(texts)) {
      const field = this.form.elements.namedItem(name) as HTMLInputElement | HTMLTextAreaElement | null;
      if (field !== null && field.type !== "hidden" && field.value === "") {
        field.value = text;
      }
    }
    this.#refreshText();
    if (this.form.querySelector("[data-error]:not(:empty)") === null) {
      this.#collapse();
    }
  }

  /** Remembers each letter as it is typed: a tab may end at any moment. */
  #remember(): void {
    const names: Record<string, keyof Memory> = { name: "name", email: "email", body: "text" };
    this.form.addEventListener("input", (event) => {
      const field = event.target as HTMLInputElement;
      const name = names[field.name];
      if (name !== undefined) {
        this.#store.write({ [name]: field.value });
      }
    });
    this.form.querySelector("[data-change]")?.addEventListener("click", () => {
      this.#expand();
      this.#field("name").focus();
    });
    this.#store.onChange((before, now) => {
      // Another tab has sent the text, or written on.
      if (this.text.value === before.text && this.text.value !== now.text) {
        this.#setText(now.text);
      }
    });
  }

  #showChallenge(proof: string, sentence?: string): void {
    for (const part of this.form.querySelectorAll<HTMLElement>("[data-challenge]")) {
      part.hidden = part.dataset["challenge"] !== proof;
      if (part.hidden || sentence !== undefined) {
        part.querySelector("[data-explains]")?.replaceChildren(part.hidden ? "" : (sentence ?? ""));
      }
    }
  }

  /** "as Ana Silva", where name and address are known. */
  #collapse(): void {
    const [line, identity] = [this.form.querySelector<HTMLElement>("[data-as]"), this.#identity];
    const isValid = [...(identity?.querySelectorAll("input") ?? [])].every((each) => each.checkValidity());
    if (line && identity && isValid) {
      line.querySelector("[data-as-name]")?.replaceChildren(this.#field("name").value);
      line.hidden = false;
      identity.hidden = true;
    }
  }

  #expand(): void {
    const [line, identity] = [this.form.querySelector<HTMLElement>("[data-as]"), this.#identity];
    if (line && identity) {
      line.hidden = true;
      identity.hidden = false;
    }
  }

  get #identity(): HTMLElement | null {
    return this.form.querySelector("[data-identity]");
  }
}

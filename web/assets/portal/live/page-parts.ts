/** Brings what the page says of the invoice's state up to date in place: amounts, status, how to pay. */

import { replaceElement } from "../replacing.ts";

const LAYOUT = "main.layout";
/** What depends on the state of the invoice: each stands below a parent that every page has. */
const PARTS = [
  ".masthead .tool.to-paper",
  ".rail > .summary",
  ".rail > .files",
  ".rail > .transfer",
  ".rail > .about",
  ".stage > .banner",
  ".sheet > .mark",
  ".stage > .confirm",
  "body > .bar",
];
/** The items are the document, on a phone: they change with a version, when the reader asks for it. */
const ITEMS = ".rail > .items";

/** The parts as the server last sent them: scripts change them afterwards. */
export class PageParts {
  readonly #root: Document;
  readonly #sources = new Map<string, string>();
  #version: number;

  constructor(root: Document) {
    this.#root = root;
    this.#version = readVersion(root);
    for (const selector of [...PARTS, ITEMS]) {
      this.#sources.set(selector, root.querySelector(selector)?.outerHTML ?? "");
    }
  }

  /** Which version of the invoice the paper shows. */
  get version(): number {
    return this.#version;
  }

  /** Takes the server's page; returns whether it is one of another version, whose items are not shown. */
  update(page: Document): boolean {
    const isOther = readVersion(page) !== this.#version;
    const layout = this.#root.querySelector<HTMLElement>(LAYOUT);
    if (layout !== null) {
      layout.dataset["state"] = page.querySelector<HTMLElement>(LAYOUT)?.dataset["state"] ?? "";
    }
    // Elements of the page before stand for the template of the viewer too.
    takeAmountLength(page);
    for (const selector of isOther ? PARTS : [...PARTS, ITEMS]) {
      const fresh = page.querySelector<HTMLElement>(selector);
      const source = fresh?.outerHTML ?? "";
      if (source !== this.#sources.get(selector)) {
        this.#sources.set(selector, source);
        this.#put(selector, fresh);
      }
    }
    this.#updateViewer(page);
    return isOther;
  }

  #put(selector: string, fresh: HTMLElement | null): void {
    const old = this.#root.querySelector<HTMLElement>(selector);
    if (fresh === null) {
      old?.remove();
    } else if (old !== null) {
      replaceElement(old, fresh);
    } else {
      this.#insert(fresh);
    }
  }

  /** Puts an element before what follows it on the server's page. */
  #insert(fresh: HTMLElement): void {
    const parent = fresh.parentElement;
    const place =
      parent && this.#root.querySelector(`${parent.localName}${parent.className && `.${parent.classList[0]}`}`);
    let next = fresh.nextElementSibling;
    let anchor: Element | null = null;
    for (; place && next !== null && anchor === null; next = next.nextElementSibling) {
      anchor = next.classList.length > 0 ? place.querySelector(`:scope > .${next.classList[0]}`) : null;
    }
    place?.insertBefore(this.#root.adoptNode(fresh), anchor);
  }

  /** The viewer says over its pages too that nothing is to be paid any more, opened or not. */
  #updateViewer(page: Document): void {
    const template = this.#root.querySelector<HTMLTemplateElement>("template[data-viewer]");
    const fresh = page.querySelector<HTMLTemplateElement>("template[data-viewer]");
    const banner = fresh?.content.querySelector<HTMLElement>(".viewer > .banner") ?? null;
    const viewer = this.#root.querySelector(".stage > .viewer");
    if (viewer !== null && viewer.querySelector(":scope > .banner")?.outerHTML !== banner?.outerHTML) {
      viewer.querySelector(":scope > .banner")?.remove();
      if (banner !== null) {
        viewer.querySelector(":scope > .head")?.after(banner.cloneNode(true));
      }
    }
    if (template !== null && fresh !== null && template.innerHTML !== fresh.innerHTML) {
      template.innerHTML = fresh.innerHTML;
    }
  }
}

function readVersion(page: Document): number {
  return Number(page.querySelector<HTMLElement>(LAYOUT)?.dataset["version"] ?? 0);
}

/** The size of the amount follows its length, which the style sheet of the page holds. */
function takeAmountLength(page: Document): void {
  const amount = page.querySelector(".amount")?.textContent ?? "";
  if (amount !== "") {
    document.documentElement.style.setProperty("--amount-length", String(amount.length));
  }
}

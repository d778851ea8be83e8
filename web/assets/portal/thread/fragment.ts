/** Brings the thread on the page in line with the server's, and touches only what has changed. */

import { replaceElement } from "../replacing.ts";

const TOKEN = 'input[name="form_token"]';

/** The comments as the server last sent them: scripts change their times and forms afterwards. */
export class Fragment {
  readonly #talk: HTMLElement;
  readonly #sources = new Map<string, string>();
  readonly #skipped = new Set<string>();

  /** `fetchAll` is to bring the whole thread again: an edit was left, under which a change was skipped. */
  constructor(talk: HTMLElement, fetchAll: () => void) {
    this.#talk = talk;
    // The event of a <details> does not bubble.
    talk.addEventListener(
      "toggle",
      (event) => {
        const comment = (event.target as HTMLElement).closest<HTMLElement>("[data-comment]");
        if (comment?.querySelector("details[open]") === null && this.#skipped.delete(comment.id)) {
          fetchAll();
        }
      },
      true,
    );
    for (const comment of listComments(talk)) {
      this.#sources.set(comment.id, readSource(comment));
    }
  }

  /** Takes the server's thread; returns the comments that are new, or nothing for what is no thread. */
  update(html: string): HTMLElement[] | undefined {
    const fetched = new DOMParser().parseFromString(html, "text/html").querySelector<HTMLElement>("[data-thread]");
    if (fetched === null) {
      return undefined;
    }
    for (const { name, value } of fetched.attributes) {
      this.#talk.setAttribute(name, value);
    }
    const added = this.#updateComments(fetched);
    this.#updateRest(fetched);
    return added;
  }

  #updateComments(fetched: HTMLElement): HTMLElement[] {
    const added: HTMLElement[] = [];
    const comments = listComments(fetched);
    let list = this.#talk.querySelector<HTMLElement>("[data-comments]");
    if (list === null && comments.length > 0) {
      list = document.createElement("ol");
      list.className = "comments";
      list.dataset["comments"] = "";
      this.#talk.prepend(list);
    }
    for (const [place, comment] of comments.entries()) {
      const source = readSource(comment);
      const old = document.getElementById(comment.id);
      if (old === null) {
        list?.insertBefore(document.adoptNode(comment), list.children[place] ?? null);
        added.push(comment);
      } else if (source !== this.#sources.get(comment.id) && !isBeingEdited(old, comment)) {
        replaceElement(old, comment);
      } else {
        takeTokens(old, comment);
        if (isBeingEdited(old, comment)) {
          // What has changed is taken when the form is closed.
          if (source !== this.#sources.get(comment.id)) {
            this.#skipped.add(comment.id);
          }
          continue;
        }
      }
      this.#sources.set(comment.id, source);
      this.#skipped.delete(comment.id);
    }
    return added;
  }

  /** What stands around the list: that there are no comments, that they were answered. */
  #updateRest(fetched: HTMLElement): void {
    const rest = (root: HTMLElement): Element[] => [...root.children].filter((each) => !each.matches("ol"));
    const html = (root: HTMLElement): string =>
      rest(root)
        .map((each) => each.outerHTML)
        .join("");
    if (html(fetched) !== html(this.#talk)) {
      for (const each of rest(this.#talk)) {
        each.remove();
      }
      this.#talk.append(...rest(fetched).map((each) => document.adoptNode(each)));
    }
  }
}

function listComments(root: ParentNode): HTMLElement[] {
  return [...root.querySelectorAll<HTMLElement>("[data-comment]")];
}

/** Form tokens are masked anew in each response, so they say nothing about a change. */
function readSource(comment: HTMLElement): string {
  const copy = comment.cloneNode(true) as HTMLElement;
  for (const token of copy.querySelectorAll(TOKEN)) {
    token.removeAttribute("value");
  }
  return copy.outerHTML;
}

function isBeingEdited(old: HTMLElement, fetched: HTMLElement): boolean {
  return old.querySelector("details[open]") !== null && !("deleted" in fetched.dataset);
}

function takeTokens(old: HTMLElement, fetched: HTMLElement): void {
  const token = fetched.querySelector<HTMLInputElement>(TOKEN)?.value;
  for (const input of token ? old.querySelectorAll<HTMLInputElement>(TOKEN) : []) {
    input.value = token as string;
  }
}

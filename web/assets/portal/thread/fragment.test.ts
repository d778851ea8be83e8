import { beforeEach, expect, test } from "vitest";

import { Fragment } from "./fragment.ts";

interface Shown {
  id: string;
  body: string;
  token?: string;
  open?: boolean;
  deleted?: boolean;
}

function comment({ id, body, token = "t", open = false, deleted = false }: Shown): string {
  return `<li id="comment-${id}" data-comment="${id}"${deleted ? " data-deleted" : ""} tabindex="-1">
    <p class="body">${body}</p><details${open ? " open" : ""}><summary>Edit</summary>
    <form><input type="hidden" name="form_token" value="${token}"><textarea>${body}</textarea></form></details></li>`;
}

function thread(comments: Shown[], rest = "", seq = 1): string {
  const list = comments.length ? `<ol data-comments>${comments.map(comment).join("")}</ol>` : "";
  return `<div data-thread="/t" data-seq="${seq}">${list}${rest}</div>`;
}

let fragment: Fragment;
let fetchedAll: number;
const get = <T extends Element = HTMLElement>(selector: string): T => document.querySelector(selector) as T;

function show(comments: Shown[], rest = ""): void {
  document.body.innerHTML = thread(comments, rest);
  fetchedAll = 0;
  fragment = new Fragment(get("[data-thread]"), () => {
    fetchedAll += 1;
  });
}

beforeEach(() => {
  show([
    { id: "a", body: "One" },
    { id: "b", body: "Two" },
  ]);
});

test("new comments come at their place, and the others stay the elements they are", () => {
  const [a, b] = [get("#comment-a"), get("#comment-b")];
  const added = fragment.update(
    thread([
      { id: "a", body: "One" },
      { id: "b", body: "Two" },
      { id: "c", body: "Three" },
    ]),
  );
  expect(added?.map((each) => each.id)).toEqual(["comment-c"]);
  expect([...document.querySelectorAll("li")]).toEqual([a, b, added?.[0]]);
});

test("a comment whose form token alone is another stays, and takes the token", () => {
  const a = get("#comment-a");
  fragment.update(
    thread([
      { id: "a", body: "One", token: "new" },
      { id: "b", body: "Two" },
    ]),
  );
  expect(get("#comment-a")).toBe(a);
  expect(get<HTMLInputElement>("#comment-a input").value).toBe("new");
});

test("what a script has changed in a comment is no change of the server's", () => {
  get("#comment-a .body").textContent = "told anew";
  fragment.update(
    thread([
      { id: "a", body: "One" },
      { id: "b", body: "Two" },
    ]),
  );
  expect(get("#comment-a .body").textContent).toBe("told anew");
});

test("a changed comment is replaced, and what had the focus in it keeps it", () => {
  get("#comment-b summary").focus();
  fragment.update(
    thread([
      { id: "a", body: "One" },
      { id: "b", body: "Changed" },
    ]),
  );
  expect(get("#comment-b .body").textContent).toBe("Changed");
  expect(document.activeElement).toBe(get("#comment-b summary"));
});

test("under an open edit nothing changes until it is closed, except that a deletion is told at once", () => {
  get<HTMLDetailsElement>("#comment-a details").open = true;
  get<HTMLTextAreaElement>("#comment-a textarea").value = "typed";
  const changed = [
    { id: "a", body: "Changed elsewhere" },
    { id: "b", body: "Two" },
  ];
  fragment.update(thread(changed));
  expect(get<HTMLTextAreaElement>("#comment-a textarea").value).toBe("typed");
  get<HTMLDetailsElement>("#comment-a details").open = false;
  fragment.update(thread(changed));
  expect(get("#comment-a .body").textContent).toBe("Changed elsewhere");
  get<HTMLDetailsElement>("#comment-a details").open = true;
  fragment.update(
    thread([
      { id: "a", body: "Deleted", deleted: true },
      { id: "b", body: "Two" },
    ]),
  );
  expect(get("#comment-a .body").textContent).toBe("Deleted");
});

test("an edit that is left brings the thread again, where a change was skipped under it", () => {
  const details = get<HTMLDetailsElement>("#comment-a details");
  const toggle = (open: boolean): void => {
    details.open = open;
    details.dispatchEvent(new Event("toggle"));
  };
  const b = { id: "b", body: "Two" };
  toggle(true);
  fragment.update(thread([{ id: "a", body: "One" }, b]));
  toggle(false);
  expect(fetchedAll).toBe(0);
  toggle(true);
  fragment.update(thread([{ id: "a", body: "Changed" }, b]));
  expect(fetchedAll).toBe(0);
  toggle(false);
  toggle(true);
  toggle(false);
  expect(fetchedAll).toBe(1);
});

test("the first comment replaces the words that there are none, and the place in the stream moves on", () => {
  show([], '<p class="empty">None yet</p>');
  const added = fragment.update(thread([{ id: "a", body: "One" }], '<p class="resolved">Answered</p>', 7));
  expect(added?.length).toBe(1);
  expect(document.querySelector(".empty")).toBe(null);
  expect([...get("[data-thread]").children].map((each) => each.localName)).toEqual(["ol", "p"]);
  expect(get("[data-thread]").dataset["seq"]).toBe("7");
});

test("an answer that is no thread changes nothing", () => {
  expect(fragment.update("<p>Sign in to this network</p>")).toBe(undefined);
  expect(document.querySelectorAll("li").length).toBe(2);
});

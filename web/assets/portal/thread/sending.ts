/** Sends what the composer holds: at once where nothing stands in the way, else after what is asked for. */

import type { Composer } from "./composer.ts";
import { makeClientId, type Store } from "./memory.ts";
import { Outbox } from "./outbox.ts";
import { describeLost, postComment } from "./posting.ts";
import type { Words } from "./words.ts";

// The second click of a double click is no comment without a text.
const DOUBLE_CLICK_MS = 1000;

/** What the thread does for those that write to it. */
export interface Thread {
  list: HTMLElement;
  pauseDuring<T>(act: () => Promise<T>): Promise<T>;
  refresh(): Promise<void>;
  announce(sentence: string): void;
  words: Words;
}

export function sendFrom(composer: Composer, store: Store, thread: Thread): Outbox {
  const { form } = composer;
  const outbox = new Outbox(store, composer.words, {
    ...thread,
    action: form.action,
    knownName: form.querySelector(".as bdi:not([data-as-name])")?.textContent ?? "",
    takeBack(entry, refusal) {
      if (composer.text.value !== "" || composer.isBusy) {
        return false;
      }
      composer.writeText(entry.body);
      composer.showRefusal(refusal);
      return true;
    },
    insert(entry) {
      if (composer.isBusy) {
        return false;
      }
      composer.writeText([composer.text.value, entry.body].filter(Boolean).join("\n\n"));
      composer.text.focus();
      return true;
    },
  });

  const requestCode = async (): Promise<void> => {
    composer.isBusy = true;
    const answer = await thread.pauseDuring(() =>
      postComment(form.action, { client_id: makeClientId(), ...composer.read(), resend: "1" }),
    );
    composer.isBusy = false;
    if (answer.kind === "refused") {
      composer.showRefusal(answer);
    } else if (answer.kind === "lost") {
      composer.showErrors({ form: describeLost(answer.cause, thread.words) });
    } else {
      // Nothing was missing any more: another tab has proven it.
      composer.clear();
      await thread.refresh();
    }
  };

  let sentAt = Number.NEGATIVE_INFINITY;
  const send = async (): Promise<void> => {
    if (composer.text.value === "" && Date.now() - sentAt < DOUBLE_CLICK_MS) {
      return;
    }
    sentAt = Date.now();
    const { code, totp, ...texts } = composer.read();
    const entry = { clientId: makeClientId(), ...texts };
    if (composer.isExpectedToPass) {
      // First written down as unsent: this tab may end at any moment.
      outbox.add(entry);
      composer.clear();
      return;
    }
    const proofs = { code, totp };
    composer.isBusy = true;
    // If this tab ends now, the next one learns what became of it.
    store.addUnsent(entry);
    store.write({ text: "" });
    const answer = await thread.pauseDuring(() =>
      postComment(form.action, { client_id: entry.clientId, ...texts, ...proofs }),
    );
    composer.isBusy = false;
    if (answer.kind === "refused") {
      composer.writeText(entry.body);
      store.removeUnsent(entry.clientId);
      composer.showRefusal(answer);
      return;
    }
    composer.clear();
    composer.forgetHint();
    if (answer.kind === "lost") {
      outbox.add(entry, proofs, true);
    } else {
      store.removeUnsent(entry.clientId);
      thread.announce(composer.words("sent"));
      await thread.refresh();
    }
  };

  form.addEventListener("submit", (event) => {
    const button = event.submitter;
    if (button?.matches("[formaction]")) {
      // The browser is to forget: so is this device.
      store.forgetAll();
      return;
    }
    event.preventDefault();
    if (!composer.isBusy) {
      void (button?.getAttribute("name") === "resend" ? requestCode() : send());
    }
  });
  return outbox;
}

/** Copies one exact value and says so on the button and to screen readers; a failure is written below the value. */

const SHOWN_FOR_MS = 2000;
// Long enough to be heard after whatever a screen reader is saying.
const ANNOUNCED_FOR_MS = 6000;

export function copyOnClick(root: Document): void {
  const announcer = root.querySelector<HTMLElement>("[data-announcer]");
  const texts = { done: announcer?.dataset["done"] ?? "", failed: announcer?.dataset["failed"] ?? "" };
  let reset = (): void => undefined;
  let clearing = 0;

  // Of the whole page: its parts are replaced when the invoice changes.
  root.addEventListener("click", (event) => {
    const button = (event.target as Element).closest<HTMLButtonElement>("button[data-copy]");
    if (button === null) {
      return;
    }
    void writeClipboard(button.dataset["copy"] ?? "").then((done) => {
      reset();
      reset = done ? showDone(button) : showFailure(button, texts.failed);
      if (announcer !== null) {
        announcer.textContent = done ? texts.done : texts.failed;
        window.clearTimeout(clearing);
        clearing = window.setTimeout(() => {
          announcer.textContent = "";
        }, ANNOUNCED_FOR_MS);
      }
    });
  });
}

/** Shows a tick on the button for a moment; returns what removes it at once. */
function showDone(button: HTMLButtonElement): () => void {
  button.dataset["state"] = "done";
  const clear = (): void => {
    delete button.dataset["state"];
  };
  const timer = window.setTimeout(clear, SHOWN_FOR_MS);
  return () => {
    window.clearTimeout(timer);
    clear();
  };
}

/** Writes below the value what to do, and selects it, until the next copy; returns what removes that. */
function showFailure(button: HTMLButtonElement, text: string): () => void {
  button.dataset["state"] = "failed";
  const row = button.closest(".copyable");
  const failure = document.createElement("dd");
  failure.className = "failure";
  failure.textContent = text;
  // The announcer says it already.
  failure.setAttribute("aria-hidden", "true");
  row?.append(failure);
  const value = row?.querySelector("bdi");
  if (value) {
    window.getSelection()?.selectAllChildren(value);
  }
  return () => {
    delete button.dataset["state"];
    failure.remove();
  };
}

async function writeClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No clipboard (plain http, or permission refused): the value stays on the page to be selected by hand.
    return false;
  }
}

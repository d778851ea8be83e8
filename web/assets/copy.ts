/** Copies one exact value, says so on the button and to screen readers, and says when it did not work. */

const SHOWN_FOR_MS = 2000;

export function copyOnClick(root: Document): void {
  const announcer = root.querySelector<HTMLElement>("[data-announcer]");
  for (const button of root.querySelectorAll<HTMLButtonElement>("button[data-copy]")) {
    let restore = 0;
    button.addEventListener("click", () => {
      void copied(button.dataset["copy"] ?? "").then((done) => {
        button.dataset["state"] = done ? "done" : "failed";
        if (announcer !== null) {
          announcer.textContent = (done ? announcer.dataset["done"] : announcer.dataset["failed"]) ?? "";
        }
        window.clearTimeout(restore);
        restore = window.setTimeout(() => {
          delete button.dataset["state"];
          if (announcer !== null) {
            announcer.textContent = "";
          }
        }, SHOWN_FOR_MS);
      });
    });
  }
}

async function copied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // No clipboard (plain http, or permission refused): the value stays on the page to be selected by hand.
    return false;
  }
}

/** Collects which parts of the page cannot be fetched: while there is one, the page is not up to date. */

import type { Part } from "./refresher.ts";
import type { Supervisor } from "./supervisor.ts";

export class Trouble {
  readonly #parts = new Set<string>();
  #supervisor: Pick<Supervisor, "reportStuck" | "finish"> | undefined;
  #isGone = false;

  /** Returns what a part of the page reports its trouble to. */
  of(part: string): Pick<Part, "stuck" | "gone"> {
    return {
      stuck: (isStuck) => {
        this.#parts[isStuck ? "add" : "delete"](part);
        this.#supervisor?.reportStuck(this.#parts.size > 0);
      },
      gone: () => {
        this.#isGone = true;
        this.#supervisor?.finish();
      },
    };
  }

  /** Tells the supervisor from now on, and of what it has missed. */
  tell(supervisor: Pick<Supervisor, "reportStuck" | "finish">): void {
    this.#supervisor = supervisor;
    if (this.#isGone) {
      supervisor.finish();
    }
  }
}

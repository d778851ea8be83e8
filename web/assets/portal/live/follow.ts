/** Follows the log of the invoice: what an event is about is brought up to date on the page, and nothing else. */

import { parsePage } from "../parsing.ts";
import type { EnhancedThread } from "../thread/thread.ts";
import { showConnection } from "./connection.ts";
import { Gate } from "./gate.ts";
import { PageParts } from "./page-parts.ts";
import type { Cursor, LiveEvent } from "./protocol.ts";
import { Refresher } from "./refresher.ts";
import { Supervisor } from "./supervisor.ts";
import type { Trouble } from "./trouble.ts";
import { prepareVersionNotice } from "./version-notice.ts";

/** Tells the gateway that nobody opens the page anew: it is no view. */
const REFRESH = { "x-portal-refresh": "1" };

/** `trouble` is what cannot be fetched, `hurryPdf` asks for a PDF that is being waited for. */
export function followInvoice(root: Document, thread: EnhancedThread, trouble: Trouble, hurryPdf: () => void): void {
  const { section, words, announce } = thread;
  const { events, ticket } = section.dataset;
  const state = section.querySelector<HTMLElement>("[data-connection]");
  const start = readCursor(root);
  if (!events || !ticket || start === undefined) {
    state?.remove();
    return;
  }
  const parts = new PageParts(root);
  const showChanged = prepareVersionNotice(root, announce);
  let shown = start;

  const apply = (html: string): boolean => {
    const fresh = parsePage(html);
    const place = readCursor(fresh);
    if (place === undefined) {
      return false;
    }
    const before = readStatus(root);
    shown = place;
    if (parts.update(fresh)) {
      showChanged();
    }
    const status = readStatus(root);
    if (status !== before) {
      announce(words("status", { status }));
    }
    return true;
  };
  const page = new Refresher({
    ...trouble.of("page"),
    address: window.location.pathname,
    headers: REFRESH,
    apply,
    shows: (seq) => shown.epoch !== gate.cursor.epoch || shown.seq >= seq,
  });
  const take = ({ seq, kind, payload, client_id }: LiveEvent): void => {
    if (kind.startsWith("comment.") || kind.startsWith("thread.")) {
      if (client_id !== null) {
        thread.confirm(client_id, String(payload["comment_id"] ?? ""));
      }
      thread.refresher.ask(seq);
    } else if (kind === "pdf.ready") {
      hurryPdf();
    } else {
      // Of the invoice, or of a kind that is younger than this page.
      page.ask(seq);
    }
  };
  const gate = new Gate(start, take);
  const supervisor = new Supervisor({
    ticketAddress: ticket,
    eventsAddress: events,
    gate,
    async refreshAll() {
      // The page first: the thread is then at least as young as the place that the page names.
      return (await page.refreshAll()) && (await thread.refresher.refreshAll()) ? shown : undefined;
    },
    show: showConnection(state, words, announce),
  });
  trouble.tell(supervisor);
  supervisor.start();
}

/** The place that a page shows: no part of it is older. */
function readCursor(page: Document): Cursor | undefined {
  const { epoch, seq } = page.querySelector<HTMLElement>("[data-thread]")?.dataset ?? {};
  return epoch ? { epoch, seq: Number(seq) } : undefined;
}

function readStatus(page: Document): string {
  return page.querySelector(".summary .status")?.textContent.trim() ?? "";
}

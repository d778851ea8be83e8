/** What scripts add to a page that is complete without them: copying, printing, and the PDF in the page. */

import { copyOnClick } from "./copy.ts";
import { followInvoice } from "./live/follow.ts";
import { Trouble } from "./live/trouble.ts";
import { switchModes } from "./modes.ts";
import { attachPapers } from "./paper.ts";
import { printOnClick } from "./print.ts";
import { enhanceThread } from "./thread/thread.ts";

attachPapers(document);
copyOnClick(document);
printOnClick(document);
const hurryPdf = switchModes(document);
const trouble = new Trouble();
const thread = enhanceThread(document, trouble.of("thread"));
if (thread !== undefined) {
  followInvoice(document, thread, trouble, hurryPdf);
}
// Last, because it shows the buttons that the lines above made work.
document.documentElement.classList.add("scripted");

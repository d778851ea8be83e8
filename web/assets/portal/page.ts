/** What scripts add to a page that is complete without them: copying, printing, and the PDF in the page. */

import { copyOnClick } from "./copy.ts";
import { switchModes } from "./modes.ts";
import { attachPapers } from "./paper.ts";
import { printOnClick } from "./print.ts";
import { enhanceThread } from "./thread/thread.ts";

attachPapers(document);
copyOnClick(document);
printOnClick(document);
switchModes(document);
enhanceThread(document);
// Last, because it shows the buttons that the lines above made work.
document.documentElement.classList.add("scripted");

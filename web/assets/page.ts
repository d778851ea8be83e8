/** What a script adds to a page that is complete without it: copying and printing. */

import { copyOnClick } from "./copy.ts";
import { attachPapers } from "./paper.ts";
import { printOnClick } from "./print.ts";

attachPapers(document);
copyOnClick(document);
printOnClick(document);
// Last, because it shows the buttons that the lines above brought to life.
document.documentElement.classList.add("scripted");

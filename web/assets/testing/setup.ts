import { beforeEach, vi } from "vitest";

import { installBrowser } from "./browser.ts";

installBrowser();
beforeEach(() => {
  installBrowser();
  vi.useRealTimers();
  document.body.replaceChildren();
});

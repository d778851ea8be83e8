/** Says how long ago something was; after a week the written date says more. The exact time stays in the title. */

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const REFRESH_MS = 30_000;

const formats = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "always" });
// The text of the server, for when it becomes the better one.
const written = new WeakMap<HTMLElement, string>();

/** Keeps all marked times of a part of the page current; `now` is the word for the last minute. */
export function keepTimesCurrent(root: ParentNode, now: string): void {
  refreshTimes(root, now);
  window.setInterval(() => {
    if (!document.hidden) {
      refreshTimes(root, now);
    }
  }, REFRESH_MS);
  document.addEventListener("visibilitychange", () => {
    refreshTimes(root, now);
  });
}

export function refreshTimes(root: ParentNode, now: string): void {
  for (const time of root.querySelectorAll<HTMLTimeElement>("time[data-relative]")) {
    const original = written.get(time) ?? time.textContent ?? "";
    written.set(time, original);
    const text = describe(Date.now() - Date.parse(time.dateTime), now) ?? original;
    if (time.textContent !== text) {
      time.textContent = text;
    }
  }
}

/** A clock that is behind the server's shows "just now" too, never a time to come. */
function describe(age: number, now: string): string | undefined {
  if (age < MINUTE_MS) {
    return now;
  }
  if (age < HOUR_MS) {
    return formats.format(-Math.floor(age / MINUTE_MS), "minute");
  }
  if (age < DAY_MS) {
    return formats.format(-Math.floor(age / HOUR_MS), "hour");
  }
  return age < 7 * DAY_MS ? formats.format(-Math.floor(age / DAY_MS), "day") : undefined;
}

/** Sentences of the template with their gaps filled in; numbers in the page's language. */

const language = document.documentElement.lang || "en";
const percents = new Intl.NumberFormat(language, { style: "percent" });
const delays = new Intl.RelativeTimeFormat(language, { numeric: "always" });

export function fillIn(sentence: string | undefined, values: Record<string, string | number>): string {
  return (sentence ?? "").replace(/\{(\w+)\}/g, (gap, name: string) => String(values[name] ?? gap));
}

export function formatPercent(share: number): string {
  return percents.format(share);
}

/** "in 20 seconds", "in 2 minutes". */
export function formatDelay(seconds: number): string {
  return seconds < 90 ? delays.format(seconds, "second") : delays.format(Math.ceil(seconds / 60), "minute");
}

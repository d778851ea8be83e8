/** Sentences of the template with their gaps filled in; numbers as the page's language writes them. */

const language = document.documentElement.lang || "en";
const percents = new Intl.NumberFormat(language, { style: "percent" });
const times = new Intl.RelativeTimeFormat(language, { numeric: "always" });

export function filled(sentence: string | undefined, values: Record<string, string | number>): string {
  return (sentence ?? "").replace(/\{(\w+)\}/g, (gap, name: string) => String(values[name] ?? gap));
}

export function percent(share: number): string {
  return percents.format(share);
}

/** "in 20 seconds", "in 2 minutes". */
export function inTime(seconds: number): string {
  return seconds < 90 ? times.format(seconds, "second") : times.format(Math.ceil(seconds / 60), "minute");
}

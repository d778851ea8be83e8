/** Reads a page of the server that was fetched to take parts of it. */

// The policy of the open page refuses those of another response, and reports it.
const STYLES = /<style\b.*?<\/style>/gis;

export function parsePage(html: string): Document {
  return new DOMParser().parseFromString(html.replace(STYLES, ""), "text/html");
}

/** Lets a text field grow with its text, where the style cannot. */

/** Returns what fits the height after the text was changed by a script. */
export function fitHeight(field: HTMLTextAreaElement): () => void {
  if (window.CSS?.supports("field-sizing", "content")) {
    return () => undefined;
  }
  const adjust = (): void => {
    field.style.height = "auto";
    field.style.height = `${field.scrollHeight}px`;
  };
  field.addEventListener("input", adjust);
  adjust();
  return adjust;
}

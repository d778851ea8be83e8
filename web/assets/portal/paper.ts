/** Opens the paper's shadow root where the browser's parser does not know declarative ones. */

export function attachPapers(root: ParentNode): void {
  for (const template of root.querySelectorAll<HTMLTemplateElement>("template[shadowrootmode]")) {
    const host = template.parentElement;
    if (host === null || host.shadowRoot !== null) {
      continue;
    }
    host.attachShadow({ mode: "open" }).append(template.content);
    template.remove();
  }
}

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { documentFonts } from "./fonts.js";

const DOCUMENT_FONTS = fileURLToPath(new URL("../../tenants/invoices/document/fonts", import.meta.url));

// Its own notice does not survive the build.
const PDFJS_NOTICE =
  "/*! pdf.js. Copyright Mozilla Foundation. Apache License 2.0: www.apache.org/licenses/LICENSE-2.0 */";

/** Puts a file that only templates name into the build and its manifest. */
function emitFile(source) {
  return {
    name: `emit:${source}`,
    generateBundle() {
      this.emitFile({
        type: "asset",
        name: basename(source),
        originalFileName: source,
        source: readFileSync(new URL(source, import.meta.url)),
      });
    },
  };
}

// One file per entry, named by the hash of its content, so that it may be cached for ever; the manifest
// tells the gateway which file a source became. Nothing is inlined: the policy allows no data: addresses.
export default defineConfig({
  base: "/assets/",
  publicDir: false,
  plugins: [emitFile("shared/icon.svg"), documentFonts(DOCUMENT_FONTS)],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0,
    manifest: true,
    modulePreload: false,
    reportCompressedSize: false,
    // pdf.js is larger; it is fetched only when a PDF is opened.
    chunkSizeWarningLimit: 600,
    rolldownOptions: {
      // In a file of its own, so that caches keep it when our scripts change.
      output: {
        codeSplitting: { groups: [{ name: "pdf", test: /node_modules\/pdfjs-dist/ }] },
        postBanner: (chunk) => (chunk.name === "pdf" ? PDFJS_NOTICE : ""),
      },
      input: ["portal/page.ts", "portal/page.css", "portal/account.css", "shared/neutral.css", "shared/document.css"],
    },
  },
});

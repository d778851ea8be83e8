import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { pressFonts } from "./fonts.js";

const PRESS_FONTS = fileURLToPath(new URL("../../tenants/invoices/document/fonts", import.meta.url));

// Its own notice does not survive the build.
const PDFJS_NOTICE = "/*! pdf.js. Copyright Mozilla Foundation. Apache License 2.0: www.apache.org/licenses/LICENSE-2.0 */";

/** Puts a file that only templates name into the build and its manifest. */
function named(name) {
  return {
    name: `named:${name}`,
    generateBundle() {
      this.emitFile({ type: "asset", name, originalFileName: name, source: readFileSync(new URL(name, import.meta.url)) });
    },
  };
}

// One file per entry, named by the hash of its content, so that it may be cached for ever; the manifest
// tells the gateway which file a source became. Nothing is inlined: the policy allows no data: addresses.
export default defineConfig({
  base: "/assets/",
  publicDir: false,
  plugins: [named("icon.svg"), pressFonts(PRESS_FONTS)],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    assetsDir: "",
    assetsInlineLimit: 0,
    manifest: true,
    modulePreload: false,
    reportCompressedSize: false,
    // pdf.js, which is fetched when a PDF is opened.
    chunkSizeWarningLimit: 600,
    rolldownOptions: {
      // Apart from what is ours, so that it stays in caches when that changes.
      output: {
        codeSplitting: { groups: [{ name: "pdf", test: /node_modules\/pdfjs-dist/ }] },
        postBanner: chunk => (chunk.name === "pdf" ? PDFJS_NOTICE : ""),
      },
      input: ["page.ts", "page.css", "neutral.css", "document.css"],
    },
  },
});

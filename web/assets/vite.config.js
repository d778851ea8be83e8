import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { pressFonts } from "./fonts.js";

const PRESS_FONTS = fileURLToPath(new URL("../../tenants/invoices/document/fonts", import.meta.url));

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
    rolldownOptions: {
      input: ["page.ts", "page.css", "neutral.css", "document.css"],
    },
  },
});

import { readFileSync } from "node:fs";
import { defineConfig } from "vite";

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
  plugins: [named("icon.svg")],
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

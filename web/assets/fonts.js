import { createHash } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

const find = createRequire(import.meta.url);

// Family, package, and which of its subsets are used. All have TrueType outlines; Chromium embeds variable and CFF
// fonts in a PDF as Type 3. The order is the order of fallback. No machine has families of these names: one of which a
// document needs no subset must not be found among the system's fonts instead.
const FAMILIES = [
  ["Inter Variable", "inter", () => true],
  ["Portal Arabic", "noto-sans-arabic", (subset) => subset === "arabic"],
  ["Portal Hebrew", "noto-sans-hebrew", (subset) => subset === "hebrew"],
  ["Portal Devanagari", "noto-sans-devanagari", (subset) => subset === "devanagari"],
  ["Portal Thai", "noto-sans-thai", (subset) => subset === "thai"],
  ["Portal Emoji", "noto-emoji", () => true],
  ["Portal Japanese", "noto-sans-jp", (subset) => subset.startsWith("[")],
  ["Portal Korean", "noto-sans-kr", (subset) => subset.startsWith("[")],
  ["Portal Chinese", "noto-sans-sc", (subset) => subset.startsWith("[")],
];
const WEIGHTS = [400, 600];

/**
 * Writes the font faces of the document beside its template, with an index of their characters: PDFs embed them, and
 * pages name those they need. Their names carry their hash.
 */
export function documentFonts(folder) {
  return {
    name: "document-fonts",
    closeBundle() {
      rmSync(folder, { recursive: true, force: true });
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, "index.json"), JSON.stringify(FAMILIES.flatMap((family) => faces(folder, ...family))));
    },
  };
}

function faces(folder, family, name, wanted) {
  const root = dirname(find.resolve(`@fontsource/${name}/package.json`));
  const files = new Set(readdirSync(join(root, "files")));
  copyFileSync(join(root, "LICENSE"), join(folder, `${name}.LICENSE`));
  const found = [];
  for (const [subset, ranges] of Object.entries(JSON.parse(readFileSync(join(root, "unicode.json"), "utf8")))) {
    for (const weight of wanted(subset) ? WEIGHTS : []) {
      const file = `${name}-${subset.replace(/[[\]]/g, "")}-${weight}-normal.woff2`;
      if (!files.has(file)) {
        throw new Error(`${name} has no file ${file}`);
      }
      const face = readFileSync(join(root, "files", file));
      const hash = createHash("sha256").update(face).digest("hex").slice(0, 16);
      const hashed = file.replace(/\.woff2$/, `-${hash}.woff2`);
      writeFileSync(join(folder, hashed), face);
      found.push({ family, weight, file: hashed, ranges });
    }
  }
  return found;
}

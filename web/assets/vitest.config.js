import { defineConfig } from "vitest/config";

// Apart from vite.config.js, whose plugins write the fonts of the document.
export default defineConfig({
  test: {
    environment: "jsdom",
    include: ["**/*.test.ts"],
    setupFiles: ["testing/setup.ts"],
    // One environment for all files: to create it takes longer than all tests together.
    isolate: false,
    maxWorkers: 1,
    testTimeout: 30_000,
    restoreMocks: true,
    unstubGlobals: true,
  },
});

/** The client for pages of one's own: one ES module with everything in it, beside the pages. */

import { defineConfig } from "vite";

export default defineConfig({
  publicDir: false,
  build: {
    outDir: "static",
    emptyOutDir: false,
    target: "es2023",
    lib: { entry: "src/client/client.ts", formats: ["es"], fileName: () => "client.js" },
    reportCompressedSize: false,
  },
});

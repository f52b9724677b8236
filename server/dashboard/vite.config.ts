import { build } from "vite";
import { defineConfig } from "vitest/config";

/** The relay that `npm run dev` talks to. */
const relay = process.env["RELAY_URL"] ?? "http://127.0.0.1:5000";

export default defineConfig({
  plugins: [
    // Beside the pages, which are not one file each.
    { name: "client", apply: "build", closeBundle: async () => void (await build({ configFile: "vite.client.config.ts" })) },
  ],
  build: {
    outDir: "static",
    emptyOutDir: true,
    // The page, and those of the other doors.
    rolldownOptions: { input: ["index.html", "temperature.html", "websocket-test.html", "reference.html"] },
    target: "es2023",
    // Browsers of 2024 and later, which know light-dark().
    cssTarget: ["chrome123", "firefox121", "safari17.5"],
    // The relay's Content-Security-Policy allows files of its own origin and nothing inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
  server: {
    proxy: {
      "/api": relay,
      "/socket.io": { target: relay, ws: true },
    },
  },
  test: { include: ["tests/**/*.test.{ts,tsx}"], environment: "node" },
});

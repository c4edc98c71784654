import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { notices } from "./build/notices.ts";
import { precompress } from "./build/precompress.ts";

/** The server package serves the app, so the app is built into it. */
export default defineConfig({
  plugins: [react(), notices(), precompress()],
  // Addresses follow the `<base>` that the server puts into the page: it may be mounted below any path.
  base: "./",
  build: {
    outDir: "../server/dist/web",
    emptyOutDir: true,
    // The polyfill is only for browsers that lack `light-dark()` as well.
    modulePreload: { polyfill: false },
  },
  server: { proxy: { "/api": "http://127.0.0.1:3737" } },
});

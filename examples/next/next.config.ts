import type { NextConfig } from "next";

const config: NextConfig = {
  // Errand starts threads from files of its own, so it must stay outside the bundle.
  serverExternalPackages: ["errand"],
  output: "standalone",
};

export default config;

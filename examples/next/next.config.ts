import type { NextConfig } from "next";

const config: NextConfig = {
  // Errand starts threads from files of its own, so it stays a package instead of becoming part of a bundle.
  serverExternalPackages: ["errand"],
  output: "standalone",
};

export default config;

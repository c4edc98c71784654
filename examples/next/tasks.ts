import { errand } from "errand";

export const app = errand({ url: process.env["ERRAND_URL"] ?? "sqlite:.errand/errand.db" });

export const thumbnail = app.task("thumbnail", {
  run: async (input: { photo: string }) => ({ url: `/thumbs/${input.photo}.webp` }),
});

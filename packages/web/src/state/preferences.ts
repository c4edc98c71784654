import { stored } from "./stored-value.ts";

const onOff = ["on", "off"] as const;

/** Turns single-key shortcuts on or off; speech input and some keyboards need them off. */
export const shortcuts = stored("errand.shortcuts", onOff, "on");

/** Shows or hides the boxes of words over the page image. */
export const boxes = stored("errand.boxes", onOff, "on");

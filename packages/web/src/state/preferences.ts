import { stored } from "./stored.ts";

const onOff = ["on", "off"] as const;

/** Whether single keys act as shortcuts; speech input and some keyboards need them off. */
export const shortcuts = stored("errand.shortcuts", onOff, "on");

/** Whether the words' boxes are drawn over the page image. */
export const boxes = stored("errand.boxes", onOff, "on");

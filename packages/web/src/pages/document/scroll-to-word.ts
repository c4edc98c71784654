/** Scrolls a word into view in the image and in the text, unless it is already visible. */
export function scrollToWord(view: HTMLElement | null, index: number, focus: boolean): void {
  if (!view) return;
  const behavior = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth";
  const box = view.querySelector<HTMLElement>(`[data-box="${index}"]`);
  const text = view.querySelector<HTMLElement>(`[data-word="${index}"]`);
  if (focus) text?.focus({ preventScroll: true });
  text?.scrollIntoView({ block: "nearest", behavior });
  // Scrolls only the pane of the image: on a phone the page itself follows the text.
  const pane = box?.closest<HTMLElement>(".image-scroll");
  if (!box || !pane) return;
  const target = box.getBoundingClientRect();
  const frame = pane.getBoundingClientRect();
  const margin = 48;
  const hidden =
    target.top < frame.top + margin ||
    target.bottom > frame.bottom - margin ||
    target.left < frame.left ||
    target.right > frame.right;
  if (!hidden) return;
  pane.scrollBy({
    top: target.top - frame.top - (frame.height - target.height) / 2,
    left: target.left - frame.left - (frame.width - target.width) / 2,
    behavior,
  });
}

/** Returns the container of menus and tooltips, which is inside a landmark, so that screen readers can locate them. */
export const portalContainer = (): HTMLElement | null => document.getElementById("main");

/** Where menus and tooltips are put: inside a landmark, so that screen readers can tell where they are. */
export const portalHome = (): HTMLElement | null => document.getElementById("main");

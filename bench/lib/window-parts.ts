/** Parts of `Window.memory()` that grow with its fingerprints. */
export const WINDOW_PARTS = ["fingerprints", "index", "rows", "tracked", "series", "sets"] as const;
export type WindowPart = (typeof WINDOW_PARTS)[number];

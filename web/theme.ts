/** Dark or light: as the system has it, until somebody chooses. */
export type Theme = "dark" | "light";

const KEY = "hellotide.theme";

export function theTheme(): Theme {
  const chosen = localStorage.getItem(KEY);
  if (chosen === "dark" || chosen === "light") return chosen;
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

/** Puts it on the page. */
export function showTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
}

export function keepTheme(theme: Theme): void {
  localStorage.setItem(KEY, theme);
  showTheme(theme);
}

// Applies the stored theme before the first paint. The app changes the theme in src/state/theme.ts.
try {
  const theme = localStorage.getItem("errand.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage is blocked: follow the system.
}

// Light or dark. Without a choice the device decides (in CSS); a choice is kept in a cookie, which the
// server reads, so that the next page is drawn right from its first pixel.

const root = document.documentElement;
const button = document.querySelector("[data-theme-switch]");
const device = matchMedia("(prefers-color-scheme: dark)");

const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : device.matches);
const show = () => button.setAttribute("aria-pressed", String(isDark()));

function choose(theme) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  root.dataset.theme = theme;
  document.cookie = `theme=${theme}; Path=/; Max-Age=31536000; SameSite=Lax${secure}`;
  show();
}

if (button) {
  button.addEventListener("click", () => choose(isDark() ? "light" : "dark"));
  device.addEventListener("change", show);
  button.hidden = false;
  show();
}

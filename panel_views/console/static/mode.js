// Light or dark: as the system says, or as the reader chose here. Runs before anything is drawn.
(() => {
  const root = document.documentElement
  const system = matchMedia("(prefers-color-scheme: dark)")
  const KEY = "worklets mode"
  const fixed = ["light", "dark"].includes(root.dataset.mode) ? root.dataset.mode : null

  function chosen() {
    try { return localStorage.getItem(KEY) } catch { return null }
  }
  function choose(mode) {
    try { mode ? localStorage.setItem(KEY, mode) : localStorage.removeItem(KEY) } catch { /* closed here: until the reload */ }
  }
  function show(mode) {
    root.dataset.mode = mode
    for (const button of document.querySelectorAll("[data-mode-switch]")) button.setAttribute("aria-pressed", mode === "dark")
  }
  function settle() {
    const own = chosen()
    show(fixed ?? (own === "light" || own === "dark" ? own : system.matches ? "dark" : "light"))
  }

  settle()
  system.addEventListener("change", settle)
  addEventListener("storage", (event) => event.key === KEY && settle())
  addEventListener("DOMContentLoaded", settle)
  addEventListener("click", (event) => {
    if (!event.target.closest?.("[data-mode-switch]")) return
    const next = root.dataset.mode === "dark" ? "light" : "dark"
    // What the system says anyway need not be remembered: it is followed again.
    choose(next === (system.matches ? "dark" : "light") ? null : next)
    show(next)
  })
})()

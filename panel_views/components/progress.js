import { component, h } from "./kit.js"

export default component(`
  .track { height: 4px; border-radius: 2px; background: var(--track); overflow: hidden; opacity: 0; transition: opacity .25s; }
  .active .track { opacity: 1; }
  .bar { height: 100%; border-radius: 2px; background: var(--accent); width: 0; }
  .unknown .bar { width: 35%; animation: slide 1.2s ease-in-out infinite; }
  @keyframes slide { from { transform: translateX(-110%) } to { transform: translateX(310%) } }
  .help { min-height: 18px; margin-top: 6px; visibility: hidden; } .active .help { visibility: visible; }
`, ({ root }) => {
  const bar = h("div", { class: "bar" })
  const track = h("div", { class: "track", role: "progressbar", "aria-label": "Progress" }, bar)
  const label = h("div", { class: "help" })
  const box = h("div", {}, track, label)
  root.append(box)
  let running = null
  const stop = () => { clearInterval(running); running = null }
  return (props) => {
    label.textContent = props.label
    label.hidden = !props.label
    const timed = props.expected_seconds > 0
    box.className = `${props.active ? "active" : ""} ${timed ? "" : "unknown"}`
    if (!props.active) { stop(); bar.style.width = timed ? "100%" : ""; return }
    if (!timed || running) return
    const begun = performance.now()
    // Time is all that is known: the bar nears its end without reaching it.
    running = setInterval(() => {
      const part = 1 - Math.exp((-1.6 * (performance.now() - begun)) / 1000 / props.expected_seconds)
      bar.style.width = `${Math.min(96, part * 100)}%`
      track.setAttribute("aria-valuenow", Math.round(part * 100))
    }, 100)
  }
})

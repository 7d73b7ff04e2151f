// Sound and film: the browser's own player, with a word where there is nothing to play.
import { component, h, safeSource } from "./kit.js"
import { NOTES_CSS, noted } from "./notes.js"

export function player(tag, sign) {
  return component(NOTES_CSS + `
    .frame { display: flex; flex-direction: column; gap: 6px; height: 100%; } audio { width: 100%; height: 44px; } video { flex: 1; width: 100%; min-height: 160px; border-radius: 12px; background: #101114; }
    .frame:has(audio) .note { flex-direction: row; min-height: 44px; padding: 8px 14px; }
  `, ({ root }) => {
    let shown = null
    let broken = false
    let last = null
    const label = h("div", { class: "label" })
    const media = h(tag, { controls: true, preload: "metadata", playsinline: true })
    const { note, tell } = noted(sign)
    root.append(h("div", { class: "frame" }, label, media, note))
    const paint = ([props, status]) => {
      const failed = status.source === "error" || broken
      const fault = props.fault ?? (broken ? "This file can't be played here." : null)
      media.hidden = tell({ status: failed ? "error" : status.source, fault, filled: Boolean(shown), empty: props.empty })
    }
    media.addEventListener("error", () => { if (shown) { broken = true; paint(last) } })
    return (props, status) => {
      last = [props, status]
      const source = safeSource(props.source)
      if (source !== shown) {
        shown = source
        broken = false
        if (source) media.src = source
        else media.removeAttribute("src")
      }
      label.textContent = props.label
      label.hidden = !props.label
      media.setAttribute("aria-label", props.label || tag)
      paint(last)
    }
  })
}

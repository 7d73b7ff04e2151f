// A button that copies a text, and says so.
import { h, icon } from "./kit.js"

export const COPY_CSS = `
  .copy { display: inline-flex; align-items: center; gap: 6px; padding: 4px 8px; border: 0; border-radius: 7px; background: none; color: var(--muted); font-size: 13px; line-height: 18px; }
  .copy:hover { background: var(--line); color: var(--ink); } .copy .icon { width: 15px; height: 15px; }
`

export function copyButton(read) {
  const words = h("span", { text: "Copy", "aria-live": "polite" })
  const sign = h("span", { style: "display: contents" }, icon("copy"))
  const say = (text, name) => {
    words.textContent = text
    sign.replaceChildren(icon(name))
  }
  return h("button", { type: "button", class: "copy", onclick: async () => {
    try {
      await navigator.clipboard.writeText(read())
      say("Copied", "check")
    } catch {
      say("Not allowed here", "warning") // no clipboard without https, or it was refused
    }
    setTimeout(() => say("Copy", "copy"), 1600)
  } }, sign, words)
}

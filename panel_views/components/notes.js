// What a component shows in place of its content: that it loads, that there is nothing, or what went wrong.
import { h, icon } from "./kit.js"

export const NOTES_CSS = `
  .note { display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 8px; flex: 1; min-height: 96px; padding: 20px; border-radius: 12px;
    background: var(--sunken); color: var(--muted); font-size: 14px; line-height: 20px; text-align: center; overflow-wrap: anywhere; }
  .note .icon { width: 26px; height: 26px; stroke-width: 1.4; } .note.failed { background: var(--danger-soft); color: var(--danger); }
  .note.waiting { background: linear-gradient(100deg, var(--sunken) 35%, var(--line) 50%, var(--sunken) 65%); background-size: 220% 100%; animation: shimmer 1.6s linear infinite; }
`

// `tell({status, fault, count, empty})` says whether the note stands in place of the content.
export function noted(sign) {
  const mark = h("span", { style: "display: contents" })
  const words = h("span")
  const note = h("div", { class: "note", role: "status", hidden: true }, mark, words)
  const tell = ({ status, fault, filled, empty }) => {
    const waiting = status === "loading" && !filled
    const failed = status === "error"
    note.hidden = filled && !failed
    note.className = `note ${failed ? "failed" : waiting ? "waiting" : ""}`
    mark.replaceChildren(...(waiting ? [] : [icon(failed ? "warning" : sign)]))
    words.textContent = failed ? fault || "This can't be read just now." : waiting ? "" : empty
    if (waiting) note.setAttribute("aria-label", "Loading")
    else note.removeAttribute("aria-label")
    return !note.hidden
  }
  return { note, tell }
}

import { component, h, icon } from "./kit.js"
import { COPY_CSS, copyButton } from "./copy.js"

const LEVEL = /\b(ERROR|CRITICAL|FATAL|WARNING|WARN|DEBUG|TRACE)\b/i
// Not `error`: Panel has a style of that name for every shadow root.
const STYLES = { error: "bad", critical: "bad", fatal: "bad", warning: "odd", warn: "odd", debug: "dim", trace: "dim" }

export default component(COPY_CSS + `
  .frame { display: flex; flex-direction: column; height: 100%; min-height: 0; border: 1px solid var(--line); border-radius: 12px; overflow: hidden; background: var(--sunken); }
  .head { display: flex; align-items: center; gap: 10px; padding: 5px 6px 5px 16px; border-bottom: 1px solid var(--line); } .head .label { flex: 1; font-size: 13px; color: var(--muted); }
  .head input { width: 130px; height: 28px; padding: 0 8px; border: 1px solid var(--line-strong); border-radius: 7px; background: var(--surface); font-size: 13px; }
  .body { position: relative; flex: 1; min-height: 0; overflow: auto; padding: 10px 16px; font: 12.5px/19px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; } .body:focus-visible { outline-offset: -2px; }
  .line { white-space: pre-wrap; overflow-wrap: anywhere; } .bad { color: var(--danger); } .odd { color: var(--warning); } .dim { color: var(--muted); } .muted { color: var(--muted); font-family: var(--font); }
  .wrap { position: relative; flex: 1; min-height: 0; display: flex; flex-direction: column; }
  .end { position: absolute; right: 14px; bottom: 12px; display: inline-flex; align-items: center; gap: 6px; padding: 6px 12px; border: 1px solid var(--line-strong); border-radius: 99px; background: var(--surface); font-size: 13px; box-shadow: var(--shadow); } .end .icon { width: 15px; height: 15px; }
`, ({ root }) => {
  let props = { lines: [] }
  let status = {}
  let pinned = true
  const label = h("span", { class: "label" })
  const seek = h("input", { type: "search", placeholder: "Search", "aria-label": "Search the lines" })
  const body = h("div", { class: "body", role: "log", tabindex: "0" })
  const end = h("button", { type: "button", class: "end", hidden: true, onclick: () => { pinned = true; stick() } }, icon("down"), h("span", { text: "Newest" }))
  root.append(h("div", { class: "frame" }, h("div", { class: "head" }, label, seek, copyButton(() => props.lines.join("\n"))), h("div", { class: "wrap" }, body, end)))
  const stick = () => { if (pinned && props.follow) body.scrollTop = body.scrollHeight; end.hidden = pinned }
  body.addEventListener("scroll", () => { pinned = body.scrollHeight - body.scrollTop - body.clientHeight < 30; end.hidden = pinned })
  const paint = () => {
    const wanted = seek.value.trim().toLowerCase()
    const lines = wanted ? props.lines.filter((line) => line.toLowerCase().includes(wanted)) : props.lines
    const left = props.total - props.lines.length
    const note = status.lines === "error" ? props.fault ?? "The lines can't be read just now." : !lines.length ? (wanted ? "No line fits the search" : status.lines === "loading" ? "Loading…" : props.empty)
      : left > 0 ? `${left.toLocaleString()} earlier lines are left out.` : ""
    body.replaceChildren(...(note ? [h("div", { class: "line muted", text: note })] : []),
      ...lines.map((line) => h("div", { class: `line ${STYLES[LEVEL.exec(line.slice(0, 200))?.[1].toLowerCase()] ?? ""}`, text: line })))
    stick()
  }
  seek.addEventListener("input", paint)
  return (next, state) => {
    props = next
    status = state
    label.textContent = props.label || "Log"
    body.setAttribute("aria-label", props.label || "Log")
    paint()
  }
})

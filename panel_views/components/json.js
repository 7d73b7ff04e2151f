import { component, h } from "./kit.js"
import { COPY_CSS, copyButton } from "./copy.js"

function leaf(value) {
  const kind = value === null ? "null" : typeof value
  return h("span", { class: kind, text: kind === "string" ? JSON.stringify(value) : String(value) })
}

function size(value) {
  const count = Array.isArray(value) ? value.length : Object.keys(value).length
  return Array.isArray(value) ? `[${count}]` : `{${count}}`
}

// A branch is drawn when it is first opened.
function branch(name, value, depth, open) {
  const key = name === null ? null : h("span", { class: "key", text: `${name}: ` })
  if (value === null || typeof value !== "object") return h("div", { class: "leaf" }, key, leaf(value))
  const inside = h("div", { class: "inside" })
  const box = h("details", {}, h("summary", {}, key, h("span", { class: "size", text: size(value) })), inside)
  const fill = () => {
    if (!box.open || inside.childElementCount) return
    inside.append(...Object.entries(value).map(([part, held]) => branch(part, held, depth + 1, open)))
  }
  box.addEventListener("toggle", fill)
  box.open = depth < open
  fill()
  return box
}

export default component(COPY_CSS + `
  .frame { display: flex; flex-direction: column; height: 100%; border: 1px solid var(--line); border-radius: 12px; overflow: hidden; }
  .head { display: flex; justify-content: space-between; align-items: center; padding: 5px 6px 5px 16px; border-bottom: 1px solid var(--line); background: var(--sunken); }
  .head .label { font-size: 13px; color: var(--muted); }
  .body { flex: 1; overflow: auto; padding: 10px 16px; font: 13px/22px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; overflow-wrap: anywhere; }
  .inside { padding-left: 18px; border-left: 1px solid var(--line); margin-left: 4px; } .leaf { padding-left: 14px; }
  summary { cursor: pointer; border-radius: 5px; list-style: none; } summary:hover { background: var(--sunken); }
  summary::before { content: "▸"; display: inline-block; width: 14px; color: var(--muted); } details[open] > summary::before { content: "▾"; }
  .size, .null { color: var(--muted); } .key { color: var(--code-name); } .string { color: var(--code-string); } .number, .boolean { color: var(--code-number); }
  .note { color: var(--muted); font-family: var(--font); font-size: 14px; }
`, ({ root }) => {
  let value = null
  const label = h("span", { class: "label" })
  const body = h("div", { class: "body" })
  root.append(h("div", { class: "frame" }, h("div", { class: "head" }, label, copyButton(() => JSON.stringify(value, null, 2))), body))
  return (props, status) => {
    value = props.value
    label.textContent = props.label || "JSON"
    const note = status.value === "error" ? props.fault ?? "This can't be read just now."
      : value == null ? (status.value === "loading" ? "Loading…" : "Nothing here yet") : null
    body.replaceChildren(...(note ? [h("div", { class: "note", text: note })] : [branch(null, value, 0, props.open_depth)]),
      ...(props.cut ? [h("div", { class: "note", text: "… and more, which is left out here." })] : []))
  }
})

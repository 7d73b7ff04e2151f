import { field } from "./field.js"
import { h, icon } from "./kit.js"

const SEARCHED = 8 // from so many options on there is a search

export default field(`
  .frame { display: flex; flex-direction: column; flex: 1; min-height: 0; max-height: 260px; border: 1px solid var(--line-strong); border-radius: 10px; background: var(--surface); overflow: hidden; }
  .frame:focus-within { border-color: var(--accent); box-shadow: 0 0 0 3px var(--accent-soft); } .wrong .frame { border-color: var(--danger); }
  .search { display: flex; align-items: center; gap: 8px; padding: 0 12px; border-bottom: 1px solid var(--line); color: var(--muted); }
  .search .icon { width: 16px; height: 16px; } .search input { flex: 1; min-width: 0; height: 38px; border: 0; background: none; outline: 0; color: var(--ink); font-size: 14px; }
  .list { overflow: auto; padding: 5px; flex: 1; }
  label { display: flex; align-items: center; gap: 10px; padding: 6px 8px; border-radius: 7px; font-size: 14px; line-height: 20px; cursor: pointer; overflow-wrap: anywhere; }
  label:hover { background: var(--sunken); } label:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: -2px; }
  label input { width: 16px; height: 16px; margin: 0; accent-color: var(--accent); flex: none; outline: 0; }
  .none { padding: 12px; color: var(--muted); font-size: 14px; }
  .tally { display: flex; justify-content: space-between; align-items: center; padding: 5px 6px 5px 12px; border-top: 1px solid var(--line); color: var(--muted); font-size: 13px; }
  .tally button { border: 0; background: none; padding: 2px 6px; border-radius: 6px; color: var(--accent); font-size: 13px; } .tally button:hover { background: var(--accent-soft); }
`, ({ slot, send }) => {
  const seek = h("input", { type: "search", placeholder: "Search", "aria-label": "Search the options" })
  const search = h("div", { class: "search" }, icon("search"), seek)
  const list = h("div", { class: "list" })
  const none = h("div", { class: "none" })
  const count = h("span", { "aria-live": "polite" })
  const clear = h("button", { type: "button", text: "Clear", onclick: () => { chosen = new Set(); tell() } })
  let options = []
  let chosen = new Set()
  let shown = ""
  let entries = []
  slot.append(h("div", { class: "frame" }, search, list, h("div", { class: "tally" }, count, clear)))
  const mark = () => {
    count.textContent = `${chosen.size} chosen`
    clear.hidden = !chosen.size
    entries.forEach(({ input }, n) => { input.checked = chosen.has(options[n].value) })
  }
  const tell = () => { mark(); send("value", options.map((option) => option.value).filter((value) => chosen.has(value))) }
  const sift = () => {
    const wanted = seek.value.trim().toLowerCase()
    let left = 0
    entries.forEach(({ row }, n) => {
      row.hidden = !options[n].label.toLowerCase().includes(wanted)
      left += row.hidden ? 0 : 1
    })
    none.hidden = left > 0
    none.textContent = options.length ? "Nothing found" : "Nothing to choose from"
  }
  seek.addEventListener("input", sift)
  return (props, status) => {
    const next = JSON.stringify(props.options)
    if (next !== shown) {
      shown = next
      options = props.options
      entries = options.map((option) => {
        const input = h("input", { type: "checkbox", onchange: () => { chosen[input.checked ? "add" : "delete"](option.value); tell() } })
        return { input, row: h("label", {}, input, h("span", { text: option.label })) }
      })
      list.replaceChildren(...entries.map(({ row }) => row), none)
      search.hidden = options.length < SEARCHED
    }
    chosen = new Set(props.value ?? [])
    mark()
    sift()
    if (status.options === "loading" && !options.length) none.textContent = "Loading…"
  }
}, { group: true, fill: true })

// One page of a table. Sorting, searching and paging are asked of the server; a row is known by its number.
import { component, freshId, h, icon, safeSource } from "./kit.js"
import { NOTES_CSS, noted } from "./notes.js"

const STYLE = NOTES_CSS + `
  .frame { display: flex; flex-direction: column; height: 100%; min-height: 0; gap: 10px; }
  .top { display: flex; align-items: center; flex-wrap: wrap; gap: 8px 12px; } .names { flex: 1; min-width: 120px; }
  .search { display: flex; align-items: center; gap: 8px; padding: 0 10px; border: 1px solid var(--line-strong); border-radius: 9px; color: var(--muted); background: var(--surface); }
  .search:focus-within { border-color: var(--accent); box-shadow: 0 0 0 3px var(--accent-soft); } .search .icon { width: 16px; height: 16px; }
  .search input { width: 160px; height: 34px; border: 0; background: none; outline: 0; color: var(--ink); font-size: 14px; }
  .tool { display: inline-flex; align-items: center; gap: 6px; height: 36px; padding: 0 12px; border: 1px solid var(--line-strong); border-radius: 9px; background: var(--surface); font-size: 14px; }
  .tool:hover:enabled { background: var(--sunken); } .tool:disabled { opacity: .4; cursor: default; } .tool .icon { width: 16px; height: 16px; }
  .scroll { flex: 0 1 auto; min-height: 0; overflow: auto; border: 1px solid var(--line); border-radius: 12px; background: var(--surface); } .busy { opacity: .6; transition: opacity .2s .15s; }
  table { width: 100%; border-collapse: separate; border-spacing: 0; font-size: 14px; line-height: 20px; }
  th { position: sticky; top: 0; z-index: 1; padding: 0; background: var(--sunken); border-bottom: 1px solid var(--line); text-align: left; font-weight: 550; white-space: nowrap; }
  th button { display: flex; align-items: center; gap: 5px; width: 100%; padding: 9px 14px; border: 0; background: none; font-weight: 550; font-size: 13px; color: var(--muted); }
  th button:hover, th[aria-sort] button { color: var(--ink); } th button:focus-visible { outline-offset: -2px; } th .arrow { font-size: 10px; width: 10px; }
  th input { width: calc(100% - 16px); min-width: 60px; margin: 0 8px 8px; height: 28px; padding: 0 8px; border: 1px solid var(--line-strong); border-radius: 7px; background: var(--surface); font-size: 13px; font-weight: 400; }
  td { padding: 9px 14px; border-bottom: 1px solid var(--line); max-width: 340px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; vertical-align: middle; }
  tr:last-child td { border-bottom: 0; } tbody tr:hover { background: var(--sunken); } tr.press { cursor: pointer; } tr[aria-selected="true"] { background: var(--accent-soft); }
  tbody tr:focus-visible { outline-offset: -2px; } .end { text-align: right; font-variant-numeric: tabular-nums; } th.end button { flex-direction: row-reverse; justify-content: flex-start; }
  .pick { width: 40px; padding: 0 0 0 14px; } .pick input { width: 16px; height: 16px; margin: 0; accent-color: var(--accent); display: block; } td img { height: 36px; border-radius: 6px; display: block; }
  td.edits { cursor: text; } td.edits:hover { box-shadow: inset 0 0 0 1px var(--line-strong); border-radius: 6px; } td.edits:focus-visible { outline-offset: -2px; }
  td input.cell { width: 100%; min-width: 60px; height: 28px; margin: -4px -8px; padding: 0 8px; border: 1px solid var(--accent); border-radius: 6px; background: var(--surface); font-size: 14px; }
  .foot { display: flex; align-items: center; justify-content: space-between; gap: 12px; color: var(--muted); font-size: 13px; } .pages { display: flex; align-items: center; gap: 6px; }
  .pages button { display: grid; place-items: center; width: 32px; height: 32px; padding: 0; border: 1px solid var(--line-strong); border-radius: 8px; background: var(--surface); } .pages button:disabled { opacity: .35; cursor: default; }
  .pages .icon { width: 16px; height: 16px; } .yes { color: var(--success); } .no { color: var(--muted); }
  @media (max-width: 719px) { .search { flex: 1 0 100%; order: 3; } .search input { flex: 1; } .scroll { max-height: 70vh; } }
`
const NUMERIC = new Set(["number", "percent"])

function written(value, column) {
  if (value == null) return ""
  if (typeof value === "boolean") return value ? "✓" : "–"
  if (typeof value === "number" && Number.isFinite(value)) {
    const places = column.decimals == null ? { maximumFractionDigits: column.format === "percent" ? 1 : 6 }
      : { minimumFractionDigits: column.decimals, maximumFractionDigits: column.decimals }
    return new Intl.NumberFormat(undefined, { ...places, style: column.format === "percent" ? "percent" : "decimal" }).format(value)
  }
  const moment = column.format === "datetime" || column.format === "date" || (column.format === "auto" && /^\d{4}-\d\d-\d\dT\d\d:\d\d/.test(value))
  const date = moment ? new Date(value) : null
  if (!date || Number.isNaN(date.valueOf())) return String(value)
  const time = column.format === "date" ? {} : { hour: "2-digit", minute: "2-digit" }
  return new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric", ...time }).format(date)
}

export default component(STYLE, ({ root, emit, ask, listen }) => {
  let props = null
  let wish = { sort: null, descending: false, search: "", filters: {}, page: 0 }
  let headed = ""
  let timer = null
  let refused = null
  const id = freshId("table")
  const label = h("div", { class: "label", id })
  const help = h("div", { class: "help" })
  const seek = h("input", { type: "search", placeholder: "Search", "aria-label": "Search the rows" })
  const search = h("div", { class: "search" }, icon("search"), seek)
  const save = h("button", { type: "button", class: "tool", onclick: () => ask("csv", null) }, icon("download"), h("span", { text: "CSV" }))
  const head = h("thead")
  const body = h("tbody")
  const table = h("table", { "aria-labelledby": id }, head, body)
  const scroll = h("div", { class: "scroll" }, table)
  const { note, tell } = noted("rows")
  const count = h("span", { "aria-live": "polite" })
  const back = h("button", { type: "button", "aria-label": "Page before", onclick: () => want({ page: props.page - 1 }) }, icon("left"))
  const on = h("button", { type: "button", "aria-label": "Next page", onclick: () => want({ page: props.page + 1 }) }, icon("right"))
  const where = h("span")
  const foot = h("div", { class: "foot" }, count, h("div", { class: "pages" }, where, back, on))
  const fault = h("div", { class: "fault", role: "alert", hidden: true })
  root.append(h("div", { class: "frame" }, h("div", { class: "top" }, h("div", { class: "names" }, label, help), search, save), scroll, note, fault, foot))

  function want(part) {
    wish = { ...wish, page: 0, ...part }
    scroll.classList.add("busy")
    ask("view", wish)
  }
  const soon = (part) => { clearTimeout(timer); timer = setTimeout(() => want(part), 250) }
  seek.addEventListener("input", () => soon({ search: seek.value }))
  const complain = (text) => {
    fault.hidden = !text
    fault.replaceChildren(...(text ? [icon("warning"), h("span", { text })] : []))
  }
  listen((told) => {
    if (told.refused) { refused = told.refused; complain(refused) }
    if (typeof told.csv !== "string") return
    const href = URL.createObjectURL(new Blob(["\ufeff", told.csv], { type: "text/csv" }))
    h("a", { href, download: `${(props.label || "table").replace(/[^\w -]+/g, "_").slice(0, 60)}.csv` }).click()
    setTimeout(() => URL.revokeObjectURL(href), 10_000)
  })

  const ends = (column, n) => NUMERIC.has(column.format) || (column.format === "auto" && props.rows.some((row) => typeof row.cells[n] === "number"))

  function title(column, n) {
    const sorted = props.sort === column.name
    const arrow = h("span", { class: "arrow", text: sorted ? (props.descending ? "▼" : "▲") : "", "aria-hidden": "true" })
    const press = () => want(sorted && props.descending ? { sort: null, descending: false } : { sort: column.name, descending: sorted })
    const sift = props.filters ? h("input", { type: "text", placeholder: "Filter", "aria-label": `Filter ${column.title}`, title: "A part of the text, >3, <=3, =3 or 1..3" }) : null
    if (sift) {
      sift.value = wish.filters[column.name] ?? ""
      sift.addEventListener("input", () => soon({ filters: { ...wish.filters, [column.name]: sift.value } }))
    }
    const cell = h("th", { scope: "col", class: ends(column, n) ? "end" : "" }, h("button", { type: "button", onclick: press }, h("span", { text: column.title }), arrow), sift)
    if (sorted) cell.setAttribute("aria-sort", props.descending ? "descending" : "ascending")
    if (column.width) cell.style.width = cell.style.minWidth = `${column.width}px`
    return cell
  }

  function choose(numbers) { ask("choose", numbers) }

  function edit(box, row, column, n) {
    if (box.querySelector("input")) return
    const value = row.cells[n]
    const input = h("input", { class: "cell", "aria-label": `${column.title}, new value` })
    input.value = value == null ? "" : typeof value === "boolean" ? (value ? "yes" : "no") : String(value)
    const leave = (keep) => {
      if (!input.isConnected) return
      box.textContent = written(value, column)
      if (keep) { complain(null); ask("edit", { row: row.n, column: column.name, text: input.value }) }
      box.focus()
    }
    input.addEventListener("keydown", (event) => {
      event.stopPropagation()
      if (event.key === "Enter") leave(true)
      if (event.key === "Escape") leave(false)
    })
    input.addEventListener("blur", () => leave(true), { once: true })
    box.replaceChildren(input)
    input.focus()
    input.select()
  }

  function place(row) {
    return props.columns.map((column, n) => {
      const value = row.cells[n]
      const source = column.format === "image" ? safeSource(value) : null
      const box = h("td", { class: ends(column, n) ? "end" : "", title: typeof value === "string" && value.length > 40 ? value : null },
        source ? h("img", { src: source, alt: "", loading: "lazy" }) : written(value, column))
      if (typeof value === "boolean") box.classList.add(value ? "yes" : "no")
      if (column.editable) {
        box.classList.add("edits")
        box.tabIndex = 0
        box.addEventListener("dblclick", () => edit(box, row, column, n))
        box.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === "F2") { event.stopPropagation(); edit(box, row, column, n) } })
      }
      return box
    })
  }

  function line(row, chosen) {
    const mine = chosen.has(row.n)
    const toggle = () => choose(props.choose === "one" ? (mine ? [] : [row.n]) : mine ? props.chosen.filter((n) => n !== row.n) : [...props.chosen, row.n])
    const pick = props.choose === "none" ? null
      : h("td", { class: "pick" }, h("input", { type: "checkbox", "aria-label": "Choose the row", checked: mine, onclick: (event) => { event.stopPropagation(); toggle() } }))
    const made = h("tr", { class: "press", tabindex: "0", "aria-selected": String(mine) }, pick, ...place(row))
    made.addEventListener("click", (event) => { if (!event.target.closest("input, td.edits")) emit("row", row.n) })
    made.addEventListener("keydown", (event) => {
      if (event.target !== made) return
      const next = event.key === "ArrowDown" ? made.nextElementSibling : event.key === "ArrowUp" ? made.previousElementSibling : null
      if (next) { event.preventDefault(); next.focus() }
      if (event.key === "Enter") emit("row", row.n)
      if (event.key === " " && pick) { event.preventDefault(); toggle() }
    })
    return made
  }

  return (next, status) => {
    props = next
    const chosen = new Set(props.chosen)
    label.textContent = props.label
    help.textContent = props.help
    help.hidden = !props.help
    search.hidden = !props.search || !props.total
    save.hidden = !props.download || !props.total
    save.disabled = !props.found
    const shape = JSON.stringify([props.columns, props.sort, props.descending, props.filters, props.choose, props.rows.length > 0])
    if (shape !== headed) {
      headed = shape
      const held = root.getRootNode().activeElement?.getAttribute("aria-label")
      head.replaceChildren(h("tr", {}, props.choose === "none" ? null : h("th", { class: "pick" }), ...props.columns.map(title)))
      if (held) head.querySelector(`[aria-label="${globalThis.CSS.escape(held)}"]`)?.focus()
    }
    body.replaceChildren(...props.rows.map((row) => line(row, chosen)))
    const sifted = props.total > 0 && !props.found
    const instead = tell({ status: status.rows, fault: props.fault, filled: props.found > 0, empty: sifted ? "No row fits the search" : props.empty })
    scroll.hidden = instead && !(sifted && props.filters)
    scroll.classList.toggle("busy", status.rows === "loading")
    const pages = Math.max(1, Math.ceil(props.found / props.page_size))
    count.textContent = `${props.found.toLocaleString()} ${props.found === 1 ? "row" : "rows"}${props.found < props.total ? ` of ${props.total.toLocaleString()}` : ""}${chosen.size ? `, ${chosen.size} chosen` : ""}`
    where.textContent = pages > 1 ? `Page ${props.page + 1} of ${pages}` : ""
    back.hidden = on.hidden = pages < 2
    back.disabled = props.page < 1
    on.disabled = props.page >= pages - 1
    foot.hidden = !props.total
    complain(refused)
    refused = null
  }
})



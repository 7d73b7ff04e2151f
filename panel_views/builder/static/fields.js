// Controls made from JSON schemas: one for a property's value, whatever its type.
import { button, debounced, h, iconButton } from "./dom.js"

const TYPING_MS = 500
const USUAL_COLOUR = "#3457d5"

// The schema with its reference followed and the arm beside null taken out.
export function resolve(schema, root) {
  if (!schema) return {}
  if (schema.$ref) return { ...resolve((root.$defs ?? {})[schema.$ref.split("/").pop()], root), ...without(schema, "$ref") }
  const arms = (schema.anyOf ?? schema.oneOf ?? []).filter((arm) => arm.type !== "null")
  if (arms.length === 1) return { ...without(without(schema, "anyOf"), "oneOf"), ...resolve(arms[0], root), optional: true }
  return schema
}

const without = (schema, key) => Object.fromEntries(Object.entries(schema).filter(([name]) => name !== key))

export const words = (name) => {
  const text = name.replace(/_/g, " ")
  return text[0].toUpperCase() + text.slice(1)
}

// A control for a value of that schema. `change(value)` hears of a new one; undefined takes it away.
export function control(schema, root, value, change, { id, label, placeholder, choices } = {}) {
  const found = resolve(schema, root)
  const given = { id, "aria-label": id ? null : label }
  if (choices) return choice(choices, value, change, given)
  if (found.enum) return choice(found.enum.map((each) => [each, words(String(each))]), value ?? found.default, change, given)
  if (found.const !== undefined) return h("span", { class: "muted", text: String(found.const) })
  if (found.type === "boolean") return toggle(value ?? found.default ?? false, change, given)
  if (found.type === "number" || found.type === "integer") return number(found, value, change, { ...given, placeholder })
  if (found.type === "array") return list(found, root, value, change, given)
  if (found.type === "string" || (found.anyOf ?? []).some((arm) => arm.type === "string")) return text(found, value, change, { ...given, placeholder })
  return json(value, change, given)
}

export function choice(options, value, change, given = {}) {
  const select = h("select", { ...given, onchange: () => change(options[select.selectedIndex][0]) },
    options.map(([each, label]) => h("option", { text: label, selected: same(each, value) })))
  if (!options.some(([each]) => same(each, value))) select.selectedIndex = -1
  return select
}

const same = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null)

function toggle(value, change, given) {
  const box = h("input", { ...given, type: "checkbox", class: "switch", checked: !!value, onchange: () => change(box.checked) })
  return box
}

function number(schema, value, change, given) {
  const step = schema.type === "integer" ? 1 : "any"
  const box = h("input", { ...given, type: "number", step, min: schema.minimum, max: schema.maximum, value: value ?? "",
    placeholder: given.placeholder ?? (schema.default ?? ""), inputmode: "decimal" })
  const commit = () => {
    if (box.value === "") return change(undefined)
    const read = Number(box.value)
    if (Number.isFinite(read)) change(read)
  }
  return typing(box, commit)
}

function text(schema, value, change, given) {
  const long = ((schema.maxLength ?? 0) > 600 && schema.maxLength < 1_000_000) || /\n/.test(String(value ?? ""))
  const color = /#\[0-9a-f/i.test(schema.pattern ?? "")
  const shown = value === undefined || value === null ? "" : String(value)
  const placeholder = given.placeholder ?? (schema.default == null ? "" : String(schema.default))
  if (color) {
    const box = h("input", { ...given, type: "color", value: shown || schema.default || USUAL_COLOUR })
    box.addEventListener("change", () => change(box.value))
    if (!schema.optional) return box
    return h("div", { class: "with-button" }, box, shown ? iconButton("close", "Back to the usual colour", () => change(undefined)) : h("small", { class: "muted", text: "usual" }))
  }
  const box = long ? h("textarea", { ...given, rows: 4, placeholder, value: shown }) : h("input", { ...given, type: "text", placeholder, value: shown })
  return typing(box, () => change(box.value === "" && schema.optional ? undefined : box.value))
}

// Tells of a value a moment after the last key, and at once when the control is left.
export function typing(box, commit) {
  let told = box.value
  const tell = () => { if (box.value !== told) { told = box.value; commit() } }
  const later = debounced(tell, TYPING_MS)
  box.addEventListener("input", () => later())
  box.addEventListener("change", () => { later.flush(); tell() })
  box.addEventListener("keydown", (event) => { if (event.key === "Enter" && box.tagName === "INPUT") tell() })
  return box
}

function list(schema, root, value, change, given) {
  const items = resolve(schema.items, root)
  const now = Array.isArray(value) ? value : schema.default ?? []
  if (items.type === "object" && items.properties) return rows(items, root, now, change, given)
  if (items.type === "string" || items.type === "number" || items.type === "integer") {
    const read = (line) => (items.type === "string" ? line : Number(line))
    const box = h("textarea", { ...given, rows: Math.min(6, Math.max(2, now.length + 1)), placeholder: "One a line", value: now.join("\n") })
    return typing(box, () => change(box.value.split("\n").map((line) => line.trim()).filter(Boolean).map(read)))
  }
  return json(now, change, given)
}

function rows(items, root, first, tell, given) {
  // The panel is not drawn anew while somebody types in it: what was told a moment ago counts.
  let now = first
  const change = (next) => { now = next; tell(next) }
  const names = Object.keys(items.properties)
  const must = new Set(items.required ?? [])
  const set = (index, name, value) => change(now.map((row, at) => (at !== index ? row : value === undefined && !must.has(name) ? without(row, name) : { ...row, [name]: value ?? "" })))
  const field = (row, index, name) => control(items.properties[name], root, row[name], (value) => set(index, name, value), { label: `${words(name)} ${index + 1}`, placeholder: names.length <= 2 ? words(name) : undefined })
  const remove = (index) => iconButton("trash", "Remove this line", () => change(now.filter((_, at) => at !== index)))
  const titled = (row, index) => ["title", "label", "name"].map((name) => row[name]).find((said) => typeof said === "string" && said) ?? `Line ${index + 1}`
  // Two fields stand side by side; more are folded away under the first one.
  const line = (row, index) => {
    const key = `${given.id ?? given["aria-label"]}-${index}`
    return names.length <= 2
      ? h("div", { class: "row" }, names.map((name) => field(row, index, name)), remove(index))
      : h("details", { class: "fold", "data-key": key, "data-fresh": key === fresh && "true" }, h("summary", {}, h("span", { text: titled(row, index) }), remove(index)),
        names.map((name) => h("div", { class: "fold-field" }, h("span", { text: words(name) }), field(row, index, name))))
  }
  const add = () => {
    fresh = `${given.id ?? given["aria-label"]}-${now.length}`
    change([...now, freshRow(items, root, now)])
  }
  return h("div", { class: "rows", role: "group", "aria-label": given["aria-label"] }, first.map(line),
    button(`Add ${SINGULAR[items.title] ?? "a line"}`, add, { icon: "plus", kind: "quiet small" }))
}

const SINGULAR = { DataTable: "a table", Query: "a query", Api: "an API", Parameter: "a parameter", Column: "a column", Option: "an option" }
const FIRST_TEXTS = { sql: "SELECT 1 AS one", url: "https://example.org/" }

// The line that was added last: it is opened where it is drawn first.
let fresh = null
export const seen = () => { fresh = null }

// What a new line holds: as much as it needs to be a right one. What may be left out is.
function freshRow(items, root, others) {
  return Object.fromEntries((items.required ?? []).map((name) => [name, freshValue(name, resolve(items.properties[name], root), root, items, others)]))
}

function freshValue(name, schema, root, items, others) {
  if (schema.default !== undefined) return schema.default
  if (schema.enum) return schema.enum[0]
  if (schema.type === "array") return schema.minItems ? [schema.items.$ref ? freshRow(resolve(schema.items, root), root, []) : ""] : []
  if (schema.type === "number" || schema.type === "integer") return schema.minimum ?? 0
  if (schema.type === "boolean") return false
  if (FIRST_TEXTS[name]) return FIRST_TEXTS[name]
  if (schema.type !== "string") return null
  const base = ({ DataTable: "table", Api: "api" }[items.title] ?? items.title ?? "line").toLowerCase()
  for (let number = others.length + 1; ; number += 1) if (!others.some((row) => row[name] === `${base}${number}`)) return `${base}${number}`
}

function json(value, change, given) {
  const box = h("textarea", { ...given, rows: 4, class: "mono", spellcheck: "false", placeholder: "JSON", value: value === undefined ? "" : JSON.stringify(value, null, 1) })
  const said = h("small", { class: "fault", role: "alert", hidden: true })
  typing(box, () => {
    said.hidden = true
    if (!box.value.trim()) return change(undefined)
    try {
      change(JSON.parse(box.value))
    } catch (problem) {
      said.textContent = `This is not JSON: ${problem.message}`
      said.hidden = false
    }
  })
  return h("div", {}, box, said)
}

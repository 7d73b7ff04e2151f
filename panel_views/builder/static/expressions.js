// A field for an expression that offers what can be read at the caret: components' values, states, the user, functions.
import { h } from "./dom.js"
import { componentsOf } from "./documents.js"

const FUNCTIONS = ["len", "round", "min", "max", "str", "int", "float", "upper", "lower", "json"]
const ROOTS = { session: "session", user: "user_state", view: "view" }
const SHOWN = 8

// Everything that an expression of this view may read, as [text, note].
export function readable(context) {
  const view = context.view()
  const components = componentsOf(view).flatMap((part) => context.valuesOf(part).map((value) =>
    [`components.${part.id}.${value}`, part.properties?.label ?? context.kinds.get(part.type)?.title ?? ""]))
  const states = (view.state ?? []).flatMap((state) => {
    const key = `${state.scope ?? "session"}.${state.name}`
    const path = `${ROOTS[state.scope ?? "session"]}.${state.name}`
    return [[path, "state"], ...context.statePaths(key).map((part) => [`${path}.${part}`, "state"])]
  })
  const params = [...new Set(view.pages.flatMap((page) => (page.params ?? []).map((each) => each.name)))].map((name) => [`params.${name}`, "page parameter"])
  return [...components, ...states, ...params, ["user.name", "who looks"], ["user.role", "who looks"], ["user.id", "who looks"], ["event.value", "in actions"], ["error.detail", "where a step failed"], ...FUNCTIONS.map((name) => [`${name}(`, "function"])]
}

export function expressionInput(context, value, { label }) {
  const box = h("textarea", { rows: 3, class: "mono", spellcheck: "false", autocomplete: "off", "aria-label": label, "data-first": true, "aria-autocomplete": "list", value })
  const list = h("ul", { class: "completions", role: "listbox", hidden: true })
  let found = []
  let at = 0

  const word = () => box.value.slice(0, box.selectionStart).match(/[A-Za-z_][A-Za-z0-9_.]*$/)?.[0] ?? ""

  function offer() {
    const typed = word().toLowerCase()
    found = readable(context).filter(([text]) => text.toLowerCase() !== typed && (text.toLowerCase().startsWith(typed) || (typed.length > 1 && text.toLowerCase().includes(typed)))).slice(0, SHOWN)
    at = 0
    paint()
  }

  function paint() {
    list.hidden = !found.length
    list.replaceChildren(...found.map(([text, note], index) => h("li", { role: "option", "aria-selected": String(index === at), onpointerdown: (event) => { event.preventDefault(); take(index) } },
      h("code", { text }), h("small", { text: note }))))
  }

  function take(index) {
    const [text] = found[index]
    const start = box.selectionStart - word().length
    box.setRangeText(text, start, box.selectionStart, "end")
    found = []
    paint()
    box.focus()
  }

  box.addEventListener("input", offer)
  box.addEventListener("focus", () => { if (!box.value) offer() })
  box.addEventListener("blur", () => { list.hidden = true })
  box.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (list.hidden || event.ctrlKey)) {
      event.preventDefault()
      box.form?.requestSubmit()
    }
    if (list.hidden) return
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault()
      at = (at + (event.key === "ArrowDown" ? 1 : -1) + found.length) % found.length
      paint()
    } else if (event.key === "Enter" || event.key === "Tab") {
      event.preventDefault()
      take(at)
    } else if (event.key === "Escape") {
      event.stopPropagation()
      list.hidden = true
    }
  })
  return { element: h("div", { class: "expression" }, box, list), get value() { return box.value } }
}

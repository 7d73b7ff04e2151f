// What an event does: a list of steps, each a form made from the document's schema, with pickers where a field names
// something of the view.
import { button, h, iconButton, popover } from "./dom.js"
import { componentOf, stateKeys } from "./documents.js"
import { bindingControl, isBinding, newState, parametersOf, placesOf } from "./bindings.js"
import { control, resolve, words } from "./fields.js"

// In the order in which they are offered.
const TITLES = { run_worklet: "Run a worklet", submit_run: "Begin a durable run", cancel_run: "Cancel a run", ask_model: "Ask a model", ask_query: "Ask a query", ask_api: "Ask an API",
  set_state: "Set a state", save: "Save a row", remove: "Delete a row", refresh: "Read a table again", navigate: "Go to a page", open_modal: "Open a modal", close_modal: "Close a modal", notify: "Say something", copy: "Copy a text", download: "Hand out a file", decide: "Decide a review" }
const ORDER = Object.keys(TITLES)

export function actionKinds(schema) {
  const kinds = Object.values(schema.$defs ?? {}).filter((def) => def.properties?.do?.const)
  return kinds.map((def) => ({ do: def.properties.do.const, title: TITLES[def.properties.do.const] ?? words(def.properties.do.const), def }))
    .sort((one, other) => (ORDER.indexOf(one.do) + 99) % 99 - (ORDER.indexOf(other.do) + 99) % 99)
}

// `change(actions, before)` hears of the whole list, and of the operations that it needs to be made before.
export function actionsEditor(context, event, first, tell) {
  // The panel is not drawn anew while somebody types in it: what was told a moment ago counts.
  let actions = first
  const change = (next, before) => { actions = next; tell(next, before) }
  const kinds = actionKinds(context.schema)
  const replace = (index, action) => change(actions.map((each, at) => (at === index ? action : each)))
  const move = (index, by) => {
    const next = [...actions]
    const [step] = next.splice(index, 1)
    next.splice(index + by, 0, step)
    change(next)
  }
  return h("div", { class: "steps" },
    first.map((action, index) => h("section", { class: "step", "aria-label": `Step ${index + 1}` },
      h("header", {}, h("span", { class: "number", text: String(index + 1) }), h("strong", { text: kinds.find((kind) => kind.do === action.do)?.title ?? action.do }),
        index > 0 ? iconButton("up", "Earlier", () => move(index, -1)) : null,
        index < first.length - 1 ? iconButton("down", "Later", () => move(index, 1)) : null,
        iconButton("trash", "Remove this step", () => change(actions.filter((_, at) => at !== index)))),
      stepForm(context, action, (next) => replace(index, next)))),
    button("Add a step", (press) => pickKind(context, press.currentTarget, kinds, (action, before) => change([...actions, action], before)), { icon: "plus", kind: "quiet small" }))
}

function pickKind(context, anchor, kinds, add) {
  popover(anchor, (box, close) => {
    box.append(h("h3", { text: "What happens" }), h("ul", { class: "options" }, kinds.map((kind) => {
      const lacks = lacking(context, kind)
      return h("li", {}, h("button", { type: "button", class: "option", disabled: !!lacks, onclick: () => { close(); add(...fresh(context, kind)) } },
        h("span", { text: kind.title }), h("small", { text: lacks ?? (kind.def.description ?? "").split(/\.\s/)[0] })))
    })))
  }, { label: "What happens" })
}

// What a step is about that the view declares, and it declares none.
function lacking(context, kind) {
  const declared = { ask_api: "apis", ask_query: "queries", save: "tables", remove: "tables" }[kind.do]
  const there = context.view()[declared] ?? []
  if (declared && !there.length) return "Nothing to choose yet: see “Tables, queries and APIs”, where nothing is selected."
  return kind.do === "remove" && !there.some(hasKey) ? "No table has a key yet: see “Tables, queries and APIs”, where nothing is selected." : null
}

const hasKey = (table) => !!table.key?.length

// A step with the fields that it needs, as far as they can be guessed, and the operations for what is not there yet.
function fresh(context, kind) {
  const action = { do: kind.do }
  const before = []
  for (const name of kind.def.required ?? []) {
    if (name === "do") continue
    const schema = resolve(kind.def.properties[name], context.schema)
    const choices = choicesOf(context, kind.do, name, schema)
    if ((name === "into" || name === "state") && !choices.length) {
      before.push({ op: "declare", state: { name: "result" } })
      action[name] = "session.result"
    } else if (choices?.length) action[name] = likely(context, name, choices.map(([value]) => value))
    else if (isBinding(kind.def.properties[name], context.schema)) action[name] = { constant: null }
    else if (schema.type === "array") action[name] = []
    else action[name] = schema.default ?? schema.enum?.[0] ?? (schema.type === "string" ? "" : null)
  }
  return [given(context, action), before]
}

// The fields that name who is asked, and the ones that what it is asked with goes into.
const ASKED = { run_worklet: ["worklet", "input"], submit_run: ["worklet", "input"], ask_api: ["api", "params"], ask_query: ["query", "params"], ask_model: ["model", "input"], remove: ["table", "row"] }
// Those that have to have all their values: an address, and the key of a row.
const WHOLE = new Set(["ask_api", "remove"])

// A step that asks somebody, with what the components of its inputs' names give.
function given(context, action) {
  const [, holder] = ASKED[action.do] ?? []
  if (!holder) return action
  const empty = Object.fromEntries(WHOLE.has(action.do) ? wanted(context, action).map((each) => [each.name, { constant: "" }]) : [])
  return { ...action, [holder]: { ...empty, ...guessed(context, action) } }
}

function guessed(context, action) {
  const named = wanted(context, action).map((field) => [field.name, componentOf(context.view(), field.name)])
  return Object.fromEntries(named.filter(([, part]) => part && context.kinds.get(part.type)?.values.includes("value")).map(([key, part]) => [key, { component: part.id }]))
}

// Which of several is meant: the worklet that asks for most of what the view has, the table that the view shows; else
// the first.
function likely(context, name, values) {
  if (name === "worklet") {
    const asked = (worklet) => Object.keys(guessed(context, { do: "run_worklet", worklet })).length
    return values.reduce((best, each) => (asked(each) > asked(best) ? each : best))
  }
  const bindings = context.view().pages.flatMap((page) => page.components ?? []).flatMap((part) => Object.values(part.bindings ?? {}))
  return values.find((value) => bindings.some((binding) => binding[name] === value)) ?? values[0]
}

function stepForm(context, first, change) {
  let action = first
  const def = actionKinds(context.schema).find((kind) => kind.do === action.do)?.def
  if (!def) return h("p", { class: "muted", text: "This server does not know this step." })
  const set = (name, value) => {
    let next = { ...action, [name]: value }
    if (name === ASKED[action.do]?.[0]) {
      delete next.value // of another model
      next = given(context, next)
    }
    if (action.do === "ask_model" && name === "value" && value) delete next.input // it is the whole
    if (action.do === "navigate" && name === "view") delete next.page // of the other view
    if (action.do === "navigate" && name !== "params") next.params = {}
    if (value === undefined || value === null) delete next[name]
    action = next
    change(next)
  }
  return h("div", { class: "fields" }, fieldsOf(def).filter(([name]) => takes(context, action, name)).map(([name, schema]) => stepField(context, action, name, schema, set)))
}

// A model has one input, which is its value, or several by name.
function takes(context, action, name) {
  if (action.do !== "ask_model" || !["input", "value"].includes(name)) return true
  const named = wanted(context, action).length > 0 || Object.keys(action.input ?? {}).length > 0
  return action[name] !== undefined || named === (name === "input")
}

// The fields of steps that name a state.
const STATES = { into: "Answer into", progress: "Progress into", log: "Log lines into", state: "State" }

// What a step is about comes first, under which condition and what then comes last.
const LAST = ["when", "on_error"]
const fieldsOf = (def) => Object.entries(def.properties).filter(([name]) => name !== "do").sort(([one], [other]) => LAST.indexOf(one) - LAST.indexOf(other))

function stepField(context, action, name, schema, set) {
  const found = resolve(schema, context.schema)
  if (isBinding(schema, context.schema) || isBinding(found, context.schema)) {
    return field(name === "when" ? "Only if" : words(name), bindingControl(context, action[name], (binding) => set(name, binding), { label: words(name), event: true }))
  }
  const inner = found.additionalProperties ?? Object.values(found.patternProperties ?? {})[0]
  if (found.type === "object" && isBinding(inner, context.schema)) return inputs(context, action, name, set)
  if (found.type === "array" && (found.items?.discriminator || found.items?.oneOf)) {
    return h("details", { class: "nested", open: !!action[name]?.length }, h("summary", { text: name === "on_error" ? "If it fails" : words(name) }), actionsEditor(context, name, action[name] ?? [], (steps) => set(name, steps.length ? steps : undefined)))
  }
  if (name in STATES) {
    const options = [...(found.optional ? [[undefined, "None"]] : []), ...stateKeys(context.view()).map((key) => [key, key])]
    const pick = control({ type: "string" }, {}, action[name], (value) => set(name, value), { label: words(name), choices: options })
    return field(STATES[name], h("div", { class: "with-button" }, pick, iconButton("plus", "New state", (press) => newState(context, press.currentTarget, (key) => set(name, key)))))
  }
  let choices = choicesOf(context, action.do, name, found, action)
  // A fixed version of a model, or what is gone by now.
  if (choices && action[name] != null && !choices.some(([value]) => value === action[name])) choices = [...choices, [action[name], action[name]]]
  const title = { path: "Part of the answer", api: "API" }[name] ?? words(name)
  return field(title, control(schema, context.schema, action[name], (value) => set(name, value), { label: title, choices, placeholder: name === "path" ? "the whole answer" : undefined }))
}

// A step that saves does so into a table that the view declares, and one that deletes into one with a key; others read
// any. One that goes to another view names
// a page of that one.
function choicesOf(context, step, name, schema, action = {}) {
  if (step === "navigate" && name === "view") return [[undefined, "This view"], ...others(context).map((view) => [view.slug, view.title])]
  if (step === "navigate" && name === "page") return [[undefined, "Its first page"], ...pagesOf(context, action.view).map((page) => [page.id, page.title || page.id])]
  if ((step === "save" || step === "remove") && name === "table") return (context.view().tables ?? []).filter((table) => step === "save" || hasKey(table)).map((table) => [table.name, table.name])
  return context.choicesFor(name, schema)
}

const others = (context) => (context.sources().views ?? []).filter((view) => view.slug !== context.view().slug)
const pagesOf = (context, view) => (view && view !== context.view().slug ? others(context).find((each) => each.slug === view)?.pages ?? [] : context.view().pages)

// The names that a step's values go to: a worklet's inputs, the parameters of a page, a query or an API.
function wanted(context, action) {
  const declared = (kind, name) => (context.view()[kind] ?? []).find((each) => each.name === name)
  if (action.do === "save") return declared("tables", action.table)?.columns ?? []
  if (action.do === "remove") return (declared("tables", action.table)?.key ?? []).map((name) => ({ name, required: true }))
  if (action.do === "ask_api") return placesOf(declared("apis", action.api)?.url ?? "").map((name) => ({ name, required: true }))
  if (action.do === "ask_query") return parametersOf(declared("queries", action.query)?.sql ?? "").map((name) => ({ name }))
  if (action.do === "ask_model") return context.sources().models.find((each) => each.name === action.model?.split("@")[0])?.inputs ?? []
  if (action.do !== "navigate") return context.sources().worklets.find((each) => each.name === action.worklet)?.input ?? []
  const pages = pagesOf(context, action.view)
  return (pages.find((page) => page.id === action.page) ?? pages[0])?.params ?? []
}

// What somebody is given who is asked: a line for each field of a worklet's input, and so on. An API takes more.
function inputs(context, action, name, set) {
  let given = action[name] ?? {}
  const open = action.do === "ask_api"
  const known = wanted(context, action)
  const put = (key, binding) => {
    const next = { ...given }
    if (binding) next[key] = binding
    else delete next[key]
    given = next
    set(name, next)
  }
  const lines = h("div")
  const names = () => [...new Set([...known.map((each) => each.name), ...Object.keys(given)])]
  const paint = () => lines.replaceChildren(...names().map((key) => {
    const one = known.find((each) => each.name === key)
    const take = (binding) => put(key, binding ?? (WHOLE.has(action.do) && one ? { constant: "" } : null))
    return field(`${key}${one?.required ? " *" : ""}`, bindingControl(context, given[key], take, { label: key, event: true }))
  }))
  paint()
  if (!names().length && !open) return null
  const more = h("input", { type: "text", placeholder: "another parameter", "aria-label": "Another parameter", pattern: "[A-Za-z][A-Za-z0-9_]*", onchange: () => {
    const key = more.value.trim()
    if (!key || !more.checkValidity() || names().includes(key)) return
    more.value = ""
    put(key, { constant: "" })
    paint()
  } })
  return h("fieldset", { class: "inputs" }, h("legend", { text: words(name) }), lines, open ? more : null)
}

const field = (label, element) => h("div", { class: "field" }, h("span", { class: "name", text: label }), element)

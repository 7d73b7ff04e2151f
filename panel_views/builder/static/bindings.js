// Where a value comes from: pickers for state, components, worklets' answers, tables, the user and expressions. A kind of
// binding that is not known here gets a form made from the document's schema.
import { button, h, icon, iconButton, popover } from "./dom.js"
import { componentsOf, stateKeys } from "./documents.js"
import { choice, control, resolve, words } from "./fields.js"
import { expressionInput } from "./expressions.js"

const ICONS = { state: "state", component: "pointer", table: "table", user: "user", expr: "expression", constant: "settings", query: "query", worklet: "worklet", model: "model", event: "play", param: "link", page: "page", reviews: "table", review: "page" }
const ORDER = ["state", "component", "worklet", "model", "query", "table", "api", "reviews", "review", "param", "user", "expr", "constant", "event"]
const TITLES = { param: "Page parameter", worklet: "Worklet", model: "Model", query: "Query", api: "HTTP API", reviews: "Inbox", review: "One review", state: "State", component: "Component", table: "Table", user: "User", expr: "Expression", constant: "Fixed value", event: "The event" }

// What an action can't read: rows, and what has to be asked for.
const ASKED = ["table", "query", "worklet", "model", "api", "reviews", "review"]

export const isBinding = (schema, root) => {
  const arms = (schema?.oneOf ?? schema?.anyOf ?? []).filter((arm) => arm.type !== "null")
  return arms.length > 1 && arms.every((arm) => /Binding$/.test(arm.$ref ?? "")) && !!root.$defs
}

// The kinds of bindings that this server's documents have: key, title and schema, as its schema lists them.
export function bindingKinds(schema) {
  const names = Object.keys(schema.$defs ?? {}).filter((name) => name.endsWith("Binding"))
  return names.map((name) => {
    const def = schema.$defs[name]
    const key = (def.required ?? Object.keys(def.properties ?? {}))[0]
    return { key, title: TITLES[key] ?? words(name.replace(/Binding$/, "")), icon: ICONS[key] ?? "link", def, about: def.description ?? "" }
  }).filter((kind) => kind.key).sort((a, b) => (ORDER.indexOf(a.key) + 99) % 99 - (ORDER.indexOf(b.key) + 99) % 99)
}

// Where several keys stand, the server's order says which one tells the kind.
export function keyOf(binding, schema) {
  return (schema["x-binding-tags"] ?? []).find((key) => key in (binding ?? {})) ?? null
}

// A binding in a few words, for its chip.
export function inWords(binding) {
  if (!binding) return ""
  if (binding.reviews) return `${binding.reviews} reviews${binding.worklet ? ` of ${binding.worklet}` : ""}`
  if (binding.state) return `${binding.state}${binding.path ? `.${binding.path}` : ""}${binding.status ? ` is ${binding.status}` : ""}`
  if (binding.component) return `${binding.component}.${binding.value ?? "value"}`
  if (binding.query) return `query ${binding.query}`
  if (binding.worklet) return `worklet ${binding.worklet}${binding.path ? `.${binding.path}` : ""}`
  if (binding.api) return `API ${binding.api}${binding.path ? `.${binding.path}` : ""}`
  if (binding.model) return `model ${binding.model}${binding.path ? `.${binding.path}` : ""}`
  if (binding.review) return `review ${inWords(binding.review)}${binding.path ? `, ${binding.path}` : ""}`
  if (binding.table) return `table ${binding.table}`
  if (binding.user) return `user's ${binding.user}`
  if ("constant" in binding) return JSON.stringify(binding.constant)
  if (binding.expr) return binding.expr
  if (binding.event) return `event.${binding.event}`
  const [key] = Object.keys(binding)
  return `${key} ${typeof binding[key] === "string" ? binding[key] : ""}`.trim()
}

// A chip that says what something is bound to, or a button that asks for it. `change(binding)` hears; null unbinds.
export function bindingControl(context, binding, change, { label, event = false, compact = false } = {}) {
  const kinds = bindingKinds(context.schema)
  const kind = kinds.find((each) => each.key === keyOf(binding, context.schema))
  const open = (anchor) => pickBinding(context, anchor, binding, change, { label, event })
  if (!kind) {
    const title = `Connect ${label} to data`
    return h("button", { type: "button", class: compact ? "square quiet bind" : "quiet small bind", title, "aria-label": title, onclick: (press) => open(press.currentTarget) },
      icon("link"), compact ? null : h("span", { text: "Connect…" }))
  }
  return h("div", { class: "chip" },
    h("button", { type: "button", class: "chip-text", title: `${kind.title}: ${inWords(binding)}`, "aria-label": `${label}: ${kind.title} ${inWords(binding)}`, onclick: (press) => open(press.currentTarget) },
      icon(kind.icon), h("span", { text: inWords(binding) })),
    iconButton("close", `Disconnect ${label}`, () => change(null)))
}

export function pickBinding(context, anchor, binding, change, { label, event = false }) {
  const kinds = bindingKinds(context.schema).filter((kind) => event || kind.key !== "event")
  const allowed = kinds.filter((kind) => event ? !ASKED.includes(kind.key) : kind.key !== "constant")
  const now = keyOf(binding, context.schema)
  const first = allowed.some((kind) => kind.key === now) ? now : (stateKeys(context.view()).length ? "state" : "component")
  popover(anchor, (box, close) => {
    const body = h("div", { class: "picker" })
    const tabs = h("div", { class: "kinds", role: "tablist", "aria-label": "Where the value comes from" })
    const choose = (made) => { change(made); close() }
    const show = (key) => {
      const kind = allowed.find((each) => each.key === key) ?? allowed[0]
      for (const tab of tabs.children) tab.setAttribute("aria-selected", String(tab.dataset.kind === kind.key))
      const fill = PICKERS[kind.key] ?? genericPicker
      body.replaceChildren(fill(context, kind.key in (binding ?? {}) ? binding : null, choose, kind, label))
      body.querySelector("[data-first]")?.focus()
    }
    tabs.append(...allowed.map((kind) => h("button", { type: "button", role: "tab", "data-kind": kind.key, onclick: () => show(kind.key) }, icon(kind.icon), h("span", { text: kind.title }))))
    box.append(h("h3", { text: `Connect ${label}` }), tabs, body)
    show(first)
  }, { label: `Connect ${label}`, wide: true })
}

const options = (items, chosen, take) => h("ul", { class: "options" }, items.map(([value, title, note], index) =>
  h("li", {}, h("button", { type: "button", class: "option", "data-first": index === 0, "aria-pressed": String(JSON.stringify(value) === JSON.stringify(chosen)), onclick: () => take(value) },
    h("span", { text: title }), note ? h("small", { text: note }) : null))))

// The names behind `:name` in a statement. A cast (`::int`) is none, nor is what stands in quotes.
export const parametersOf = (sql) => [...new Set([...sql.replace(/'[^']*'/g, "").matchAll(/(?<![:\w]):([A-Za-z_]\w*)/g)].map((found) => found[1]))]

const nothing = (text) => h("p", { class: "empty", text })

const PICKERS = {
  state(context, binding, choose) {
    let now = { ...binding }
    const extra = h("div", { class: "pair" })
    const paint = () => {
      list.replaceChildren(options(stateKeys(context.view()).map((key) => [key, key, context.stateNote(key)]), now.state, (state) => { now = { state }; paint() }))
      extra.replaceChildren(...(now.state ? [
        h("label", {}, "Part", h("input", { type: "text", placeholder: "the whole value", list: "state-parts", value: now.path ?? "", oninput: (event) => { now.path = event.target.value.trim() || undefined } })),
        h("datalist", { id: "state-parts" }, context.statePaths(now.state).map((path) => h("option", { value: path }))),
        h("label", {}, "What", choice([[undefined, "Its value"], ["loading", "Whether it is loading"], ["empty", "Whether it is empty"], ["error", "Its fault"]], now.status, (status) => { now.status = status })),
        button("Connect", () => choose(clean(now)), { kind: "primary" }),
      ] : []))
    }
    const list = h("div")
    paint()
    return h("div", {}, list, stateKeys(context.view()).length ? null : nothing("No state yet. A worklet's answer goes into one."),
      button("New state…", (event) => newState(context, event.currentTarget, (key) => { now = { state: key }; paint() }), { icon: "plus", kind: "quiet small" }), extra)
  },
  component(context, binding, choose) {
    const values = componentsOf(context.view()).flatMap((part) => context.valuesOf(part).map((value) =>
      [{ component: part.id, value }, `${part.id}.${value}`, part.properties?.label ?? context.kinds.get(part.type)?.title]))
    const chosen = binding ? { component: binding.component, value: binding.value ?? "value" } : null
    return values.length ? options(values, chosen, (made) => choose(made.value === "value" ? { component: made.component } : made)) : nothing("No component on the view gives a value. Inputs do.")
  },
  table(context, binding, choose) {
    const tables = context.sources().tables
    let limit = binding?.limit ?? 24
    if (!tables.length) return nothing("No table yet. A worklet fills one with pw.save.")
    return h("div", {}, h("label", { class: "line" }, "Newest rows, at most", h("input", { type: "number", min: 1, max: 200, value: limit, oninput: (event) => { limit = Number(event.target.value) || 24 } })),
      options(tables.map((table) => [table.name, table.name, `${table.rows} rows`]), binding?.table, (table) => choose({ table, limit })))
  },
  query(context, binding, choose) {
    const queries = context.view().queries ?? []
    let now = binding ?? (queries.length ? { query: queries[0].name } : null)
    const given = () => h("div", { class: "params" }, parametersOf(queries.find((each) => each.name === now.query)?.sql ?? "").map((name) => {
      const input = expressionInput(context, now.params?.[name]?.expr ?? (now.params?.[name]?.param ? `params.${now.params[name].param}` : ""), { label: name })
      const take = () => { now = { ...now, params: { ...now.params, ...(input.value.trim() ? { [name]: { expr: input.value.trim() } } : {}) } } }
      input.element.addEventListener("change", take)
      input.element.addEventListener("focusout", take)
      return h("label", {}, `:${name}`, input.element)
    }))
    if (!now) return nothing("No query yet. Write one under “Tables, queries and APIs”, where nothing is selected.")
    const rest = h("div", {}, given())
    const pick = choice(queries.map((each) => [each.name, each.name]), now.query, (query) => { now = { query }; rest.replaceChildren(given()) })
    const part = h("input", { type: "text", placeholder: "all rows, or 0.column", "aria-label": "Part", value: now.path ?? "", oninput: (event) => { now = { ...now, path: event.target.value.trim() || undefined } } })
    return h("div", {}, h("label", {}, "Query", pick), rest, h("label", {}, "Part", part), button("Connect", () => choose(clean(now)), { kind: "primary" }))
  },
  worklet(context, binding, choose) {
    const worklets = context.sources().worklets
    if (!worklets.length) return nothing("No worklet yet. `worklets push` brings one in.")
    return asked(context, "worklet", worklets.map((each) => ({ name: each.name, inputs: each.input, output: each.output })), binding, choose)
  },
  model(context, binding, choose) {
    const models = context.sources().models
    if (!models.length) return nothing("No model yet. `worklets deploy` brings one in.")
    return asked(context, "model", models.map((each) => ({ name: each.name, inputs: each.inputs, output: [] })), binding, choose)
  },
  api(context, binding, choose) {
    const apis = context.view().apis ?? []
    if (!apis.length) return nothing("No API yet. Declare one under “Tables, queries and APIs”, where nothing is selected.")
    const named = apis.map((each) => ({ name: each.name, output: [], inputs: placesOf(each.url).concat(Object.keys(binding?.api === each.name ? binding.params ?? {} : {}).filter((name) => !placesOf(each.url).includes(name))).map((name) => ({ name })) }))
    return asked(context, "api", named, binding, choose, { field: "params", more: true })
  },
  reviews(context, binding, choose) {
    let now = { reviews: "open", ...binding }
    const asking = context.sources().worklets.filter((each) => each.reviews?.length)
    const nodes = () => choice([[undefined, "All"], ...(asking.find((each) => each.name === now.worklet)?.reviews ?? []).map((node) => [node, node])], now.node, (node) => { now = { ...now, node } })
    const which = h("label", {}, "Review", nodes())
    return h("div", {},
      h("label", {}, "Which", choice([["open", "To be decided"], ["decided", "Decided"], ["expired", "Not decided in time"], ["withdrawn", "Withdrawn"], ["all", "All"]], now.reviews, (reviews) => { now = { ...now, reviews } })),
      h("label", {}, "Worklet", choice([[undefined, "All"], ...asking.map((each) => [each.name, each.name])], now.worklet, (worklet) => { now = { ...now, worklet, node: undefined }; which.replaceChildren("Review", nodes()) })), which,
      h("p", { class: "note", text: "Rows with id, title, value, created, due and decision; each visitor sees what they may decide." }),
      button("Connect", () => choose(clean(now)), { kind: "primary" }))
  },
  review(context, binding, choose) {
    const input = expressionInput(context, written(binding?.review), { label: "The review's id" })
    const part = h("input", { type: "text", placeholder: "value, title, value.amount …", "aria-label": "Part", value: binding?.path ?? "" })
    return h("div", {}, h("label", {}, "The review's id", input.element), h("label", {}, "Part", part),
      h("p", { class: "note", text: "Put row.id of a pressed row into a state, and name that state here: session.chosen." }),
      button("Connect", () => { if (input.value.trim()) choose(clean({ review: { expr: input.value.trim() }, path: part.value.trim() })) }, { kind: "primary" }))
  },
  user: (context, binding, choose) => options([["name", "Name"], ["id", "Id"], ["role", "Role"]], binding?.user, (user) => choose({ user })),
  expr(context, binding, choose) {
    const said = h("p", { class: "note", text: "Plain data and arithmetic: components.size.value * 2" })
    const input = expressionInput(context, binding?.expr ?? "", { label: "Expression" })
    const take = () => { if (input.value.trim()) choose({ expr: input.value.trim() }) }
    return h("form", { onsubmit: (event) => { event.preventDefault(); take() } }, input.element, said, h("div", { class: "end" }, h("button", { type: "submit", class: "primary", text: "Connect" })))
  },
  constant(context, binding, choose) {
    const input = h("input", { type: "text", "data-first": true, "aria-label": "Value", value: binding ? (typeof binding.constant === "string" ? binding.constant : JSON.stringify(binding.constant)) : "" })
    const read = () => { try { return JSON.parse(input.value) } catch { return input.value } }
    return h("form", { onsubmit: (event) => { event.preventDefault(); choose({ constant: read() }) } }, input, h("p", { class: "note", text: "Text, a number, true, false, or JSON." }), h("div", { class: "end" }, h("button", { type: "submit", class: "primary", text: "Set" })))
  },
  event(context, binding, choose) {
    const input = h("input", { type: "text", "data-first": true, "aria-label": "Part of the event", value: binding?.event ?? "value" })
    return h("form", { onsubmit: (event) => { event.preventDefault(); choose({ event: input.value.trim() }) } }, input, h("p", { class: "note", text: "“value” is an input's new value; of a pressed row, “data” is what it holds." }), h("div", { class: "end" }, h("button", { type: "submit", class: "primary", text: "Connect" })))
  },
}

export const placesOf = (url) => [...new Set([...url.matchAll(/\{([A-Za-z_]\w*)\}/g)].map((found) => found[1]))]

// Who is asked, an expression for each input, and which part of the answer is wanted. `inputs` are null where they have
// no names: then one expression is the whole.
function asked(context, kind, sources, binding, choose, { field: holder = "input", more = false } = {}) {
  let now = binding ?? { [kind]: sources[0].name }
  const source = () => sources.find((each) => each.name === now[kind].split("@")[0]) ?? { inputs: [], output: [] }
  const field = (label, given, take) => {
    const input = expressionInput(context, written(given), { label })
    for (const event of ["change", "focusout"]) input.element.addEventListener(event, () => take(input.value.trim()))
    return h("label", {}, label, input.element)
  }
  const rest = h("div", { class: "params" })
  const paint = () => {
    const inputs = source().inputs
    rest.replaceChildren(...(inputs ? inputs.map(({ name, required }) => field(required === false ? `${name} (optional)` : name, now[holder]?.[name], (text) => {
      const { [name]: _, ...others } = now[holder] ?? {}
      now = { ...now, [holder]: text ? { ...others, [name]: { expr: text } } : others }
    })) : [field("Input", now.value, (text) => { now = { ...now, value: text ? { expr: text } : undefined } })]))
  }
  paint()
  const another = h("input", { type: "text", placeholder: "another parameter", "aria-label": "Another parameter", pattern: "[A-Za-z][A-Za-z0-9_]*", onchange: () => {
    const name = another.value.trim()
    if (!name || !another.checkValidity() || source().inputs.some((each) => each.name === name)) return
    source().inputs.push({ name })
    another.value = ""
    paint()
  } })
  const pick = choice(sources.map((each) => [each.name, each.name]), now[kind], (name) => { now = { [kind]: name }; paint() })
  const part = h("input", { type: "text", placeholder: "the whole answer", "aria-label": "Part", list: "answer-parts", value: now.path ?? "", oninput: (event) => { now = { ...now, path: event.target.value.trim() || undefined } } })
  return h("div", {}, h("label", {}, { model: "Model", worklet: "Worklet", api: "API" }[kind], pick), rest, more ? h("label", {}, "More", another) : null,
    h("label", {}, "Part", part), h("datalist", { id: "answer-parts" }, source().output.map((each) => h("option", { value: each.name }))),
    h("p", { class: "note", text: "Asked once every input has a value, and again when one changes. For what acts or takes long, use a button." }),
    button("Connect", () => choose(clean(now)), { kind: "primary" }))
}

// What an input is given, as an expression.
function written(given) {
  if (!given) return ""
  if (given.expr) return given.expr
  if (given.param) return `params.${given.param}`
  if (given.component) return `components.${given.component}.${given.value ?? "value"}`
  if (given.state) return given.state.replace(/^user\./, "user_state.") + (given.path ? `.${given.path}` : "")
  return "constant" in given ? JSON.stringify(given.constant) : ""
}

function genericPicker(context, binding, choose, kind) {
  let now = { ...binding }
  const root = context.schema
  const fields = Object.entries(kind.def.properties).map(([name, schema]) => h("label", {}, words(name),
    control(schema, root, now[name], (value) => { now[name] = value }, { label: words(name), choices: context.choicesFor(name, resolve(schema, root)) })))
  return h("div", { class: "generic" }, h("p", { class: "note", text: kind.about }), fields, button("Connect", () => choose(clean(now)), { kind: "primary" }))
}

const clean = (binding) => Object.fromEntries(Object.entries(binding).filter(([, value]) => value !== undefined && value !== ""))

export function newState(context, anchor, made) {
  popover(anchor, (box, close) => {
    const name = h("input", { type: "text", pattern: "[A-Za-z][A-Za-z0-9_]*", required: true, placeholder: "result", "aria-label": "Name" })
    let scope = "session"
    const submit = async (event) => {
      event.preventDefault()
      const state = { name: name.value.trim(), ...(scope === "session" ? {} : { scope }) }
      close()
      if (await context.commit([{ op: "declare", state }], { label: "New state" })) made?.(`${scope}.${state.name}`)
    }
    box.append(h("h3", { text: "New state" }), h("form", { onsubmit: submit }, h("label", {}, "Name", name),
      h("label", {}, "Kept for", choice([["session", "This tab (until it is closed)"], ["user", "This user (for good)"], ["view", "Everybody (for good)"]], scope, (value) => { scope = value })),
      h("div", { class: "end" }, h("button", { type: "submit", class: "primary", text: "Make" }))))
  }, { label: "New state" })
}

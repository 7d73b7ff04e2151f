// The right-hand panel: what is selected, its properties with where their values come from, and what its events do.
import { button, drawing, h, icon, iconButton } from "./dom.js"
import { componentOf, pageOf, placeOf } from "./documents.js"
import { actionsEditor } from "./actions.js"
import { bindingControl } from "./bindings.js"
import { control, resolve, seen, typing, words } from "./fields.js"
import { placed } from "./gestures.js"
import { aligned, clampPlace } from "./layout.js"

const ALIGN = [["left", "Align left"], ["right", "Align right"], ["top", "Align top"], ["width", "Same width"], ["row", "Side by side"]]
// What a component shows by itself while it is used; it is seldom set by hand.
const LAST = new Set(["error", "value", "busy", "disabled", "active"])
// What authors' components take beside the properties that they declare.
const OF_AUTHORS = new Set(["value", "data"])

export function makeInspector(host, context) {
  let shown = ""
  const open = new Map()

  let due = false

  // A moment later: a field tells of its new value while the focus is on its way to the next one.
  function paint() {
    if (due) return
    due = true
    setTimeout(() => { due = false; draw() })
  }

  const fields = () => [...host.querySelectorAll("input, select, textarea, button, summary")]
  const called = (element) => element && `${element.tagName} ${element.id} ${element.getAttribute("aria-label")}`

  function draw() {
    const { selection } = context
    const key = [...selection].join() || `page:${context.page}`
    // A field that is being typed in stays as it is.
    const typingHere = host.contains(document.activeElement) && /^(INPUT|TEXTAREA)$/.test(document.activeElement.tagName) && !/checkbox|color/.test(document.activeElement.type)
    if (typingHere && key === shown) return
    const scrolled = key === shown ? host.scrollTop : 0
    const focused = key === shown ? fields().indexOf(document.activeElement) : -1
    const name = called(document.activeElement)
    const unfolded = key === shown ? [...host.querySelectorAll("details[data-key][open]")].map((each) => each.dataset.key) : []
    shown = key
    const parts = [...selection].map((id) => componentOf(context.view(), id)).filter(Boolean)
    host.replaceChildren(...(parts.length === 1 ? ofComponent(parts[0]) : parts.length ? ofSeveral(parts) : ofPage()))
    for (const each of host.querySelectorAll("details[data-key]")) each.open = unfolded.includes(each.dataset.key) || each.dataset.fresh === "true"
    host.scrollTop = scrolled
    const added = host.querySelector("details[data-fresh=true] :is(input, textarea, select)")
    if (added) {
      seen()
      added.focus()
      return added.select?.()
    }
    if (focused >= 0 && called(fields()[focused]) === name) fields()[focused].focus({ preventScroll: true })
  }

  host.addEventListener("focusout", () => setTimeout(() => { if (!host.contains(document.activeElement)) paint() }))

  const section = (name, ...content) => {
    const box = h("details", { class: "section", open: open.get(name) ?? true, ontoggle: () => open.set(name, box.open) }, h("summary", {}, icon("chevron"), h("span", { text: name })), content)
    return box
  }

  // --- one component ----------------------------------------------------------------------------------------

  function ofComponent(part) {
    const kind = context.kinds.get(part.type)
    const schema = kind?.properties ?? {}
    const names = Object.keys(schema.properties ?? {})
    const own = context.declared(part)
    // Of an author's component that is known, its own properties stand here one by one, and none that it has not.
    const shows = (name) => !own.known || (name === kind.holds ? part.bindings?.[name] : name in own.own || !OF_AUTHORS.has(name))
    const sorted = [...names.filter((name) => !LAST.has(name)), ...names.filter((name) => LAST.has(name))].filter(shows)
    const events = [...(kind?.events ?? []), ...own.events]
    return [
      h("header", { class: "what" }, h("span", { class: "art" }, kind ? drawing(kind.thumbnail) : icon("more")),
        h("div", {}, h("strong", { text: kind?.title ?? part.type }), nameField(part))),
      section("Properties", sorted.map((name) => property(part, name, own.own?.[name] ?? schema.properties[name], own.own?.[name] ? own.schema : schema)),
        Object.entries(own.properties).map(([name, each]) => heldProperty(part, kind.holds, name, each, own.schema)),
        own.bound.map((name) => heldProperty(part, kind.holds, name, {}, schema))),
      events.length ? section("When…", events.map((event) => h("div", { class: "event" }, h("h4", {}, h("code", { text: event })),
        actionsEditor(context, event, part.actions?.[event] ?? [], (actions, before = []) => context.commit([...before, { op: "actions", id: part.id, event, actions }], { label: `What ${event} does` }))))) : null,
      section("Shown", conditionField(part)),
      section("Place", placeFields(part)),
      h("footer", {}, button("Duplicate", () => context.duplicate(), { icon: "copy", kind: "small" }), button("Delete", () => context.remove(), { icon: "trash", kind: "small danger" })),
    ].filter(Boolean)
  }

  function nameField(part) {
    const box = h("input", { type: "text", class: "name-field", "aria-label": "Name", title: "The name by which others read it", value: part.id, pattern: "[A-Za-z][A-Za-z0-9_]*", maxlength: 63, id: "component-name" })
    const commit = async () => {
      const to = box.value.trim()
      if (!to || to === part.id || !box.checkValidity()) { box.value = part.id; return }
      if (await context.commit([{ op: "rename", id: part.id, to }], { label: "Rename" })) context.select(new Set([to]))
      else box.value = part.id
    }
    box.addEventListener("change", commit)
    return box
  }

  // One that an author declared: its fixed value stands among the others in the property `holder`.
  function heldProperty(part, holder, name, schema, root) {
    const held = () => componentOf(context.view(), part.id)?.properties?.[holder] ?? {}
    const set = (value) => {
      const { [name]: _, ...others } = held()
      const next = value === undefined ? others : { ...others, [name]: value }
      const whole = Object.keys(next).length ? { value: next } : { unset: true }
      context.commit([{ op: "set", id: part.id, name: holder, ...whole }], { label: `Set ${name}` })
    }
    return property(part, name, schema, root, { value: held()[name], set })
  }

  function property(part, name, schema, root, own = null) {
    const found = resolve(schema, root)
    const id = `property-${name}`
    const bound = part.bindings?.[name]
    const bind = bindingControl(context, bound, (binding) => context.commit([{ op: "bind", id: part.id, name, binding }], { label: binding ? `Connect ${name}` : `Disconnect ${name}` }), { label: words(name), compact: true })
    const set = own?.set ?? ((value) => context.commit([value === undefined ? { op: "set", id: part.id, name, unset: true } : { op: "set", id: part.id, name, value }], { label: `Set ${name}` }))
    const label = h("label", { for: id, text: found.title && found.title.toLowerCase() !== name.replace(/_/g, " ") ? found.title : words(name), title: found.description })
    if (bound) return h("div", { class: "field bound" }, label, bind)
    const made = control(schema, root, own ? own.value : part.properties?.[name], set, { id, label: words(name), choices: own ? null : context.choicesFor(name, found) })
    const small = made.type === "checkbox"
    return h("div", { class: small ? "field switch-field" : "field" }, h("div", { class: "label-line" }, label, small ? made : null, bind), small ? null : made,
      found.description ? h("small", { class: "muted", text: found.description }) : null)
  }

  function conditionField(part) {
    const tell = (binding) => context.commit([{ op: "bind", id: part.id, name: "visible_if", binding }], { label: binding ? "Set when to show it" : "Always show it" })
    return h("div", { class: "field" }, h("span", { class: "name", text: "Visible if" }),
      bindingControl(context, part.visible_if, tell, { label: "Visible if" }),
      part.visible_if ? null : h("small", { class: "muted", text: "Always." }))
  }

  function placeFields(part) {
    const at = placeOf(part)
    const one = (name, title) => {
      const box = h("input", { type: "number", id: `place-${name}`, min: name === "w" || name === "h" ? 1 : 0, max: name === "x" ? 11 : name === "w" ? 12 : 100, value: at[name] })
      typing(box, () => {
        const place = clampPlace({ ...placeOf(componentOf(context.view(), part.id)), [name]: Math.round(Number(box.value)) || 0 })
        context.commit(placed(pageOf(context.view(), context.page), { [part.id]: place }, part.parent ?? null), { label: "Move" })
      })
      return h("label", {}, h("span", { text: title }), box)
    }
    const full = { ...at, x: 0, w: 12 }
    return h("div", {}, h("div", { class: "quad" }, one("x", "Column"), one("y", "Row"), one("w", "Width"), one("h", "Height")),
      button("Full width", () => context.commit(placed(pageOf(context.view(), context.page), { [part.id]: full }, part.parent ?? null), { label: "Full width" }), { icon: "width", kind: "quiet small" }))
  }

  // --- several ------------------------------------------------------------------------------------------------

  function ofSeveral(parts) {
    const parents = new Set(parts.map((part) => part.parent ?? null))
    const align = (how) => {
      const places = aligned(Object.fromEntries(parts.map((part) => [part.id, placeOf(part)])), how)
      context.commit(placed(pageOf(context.view(), context.page), places, parts[0].parent ?? null), { label: "Align" })
    }
    return [
      h("header", { class: "what" }, h("div", {}, h("strong", { text: `${parts.length} components` }), h("small", { class: "muted", text: parts.map((part) => part.id).join(", ") }))),
      section("Arrange", parents.size === 1
        ? h("div", { class: "tools" }, ALIGN.map(([how, label]) => iconButton(how, label, () => align(how))))
        : h("p", { class: "muted", text: "Components of different containers can't be lined up." })),
      h("footer", {}, button("Duplicate", () => context.duplicate(), { icon: "copy", kind: "small" }), button("Delete", () => context.remove(), { icon: "trash", kind: "small danger" })),
    ]
  }

  // --- nothing: the page and the view ---------------------------------------------------------------------------

  function ofPage() {
    const view = context.view()
    const page = pageOf(view, context.page)
    const defs = context.schema.$defs
    const root = context.schema
    const setView = (name, value) => context.commit([{ op: "set_view", name, value }], { label: `Set ${name}` })
    const setPage = (name, value) => context.commit([{ op: "set_page", page: page.id, name, value }], { label: `Set the page's ${name}` })
    const line = (id, label, element) => h("div", { class: "field" }, h("label", { for: id, text: label }), element)
    const within = (name, part, schema) => {
      const value = view[name]?.[part]
      const set = (next) => setView(name, clean({ ...context.view()[name], [part]: next }))
      const id = `${name}-${part}`
      return line(id, words(part), control(schema, root, value, set, { id, label: words(part) }))
    }
    const fields = (name, def) => Object.entries(def?.properties ?? {}).map(([part, schema]) => within(name, part, schema))
    const rest = Object.entries(defs.Page?.properties ?? {}).filter(([name]) => !["id", "title", "components"].includes(name))
    return [
      h("header", { class: "what" }, h("span", { class: "art" }, icon("page")), h("div", {}, h("strong", { text: page.title || "Page" }), h("small", { class: "muted", text: "Nothing is selected" }))),
      section("View", line("view-title", "Title", control({ type: "string", maxLength: 200 }, root, view.title, (value) => { if (value) setView("title", value) }, { id: "view-title" })),
        line("view-description", "Description", control({ type: "string", maxLength: 2000 }, root, view.description, (value) => setView("description", value ?? ""), { id: "view-description" }))),
      section("This page", line("page-title", "Title", control({ type: "string" }, root, page.title, (value) => setPage("title", value ?? ""), { id: "page-title" })),
        rest.map(([name, schema]) => line(`page-${name}`, PAGE_FIELDS[name] ?? words(name), control(schema, root, page[name], (value) => setPage(name, value ?? null), { id: `page-${name}`, label: words(name) })))),
      section("Tables, queries and APIs", ["tables", "queries", "apis"].map((name) => line(`view-${name}`, name === "apis" ? "APIs" : words(name),
        control(defs.ViewDocument?.properties?.[name] ?? root.properties[name], root, view[name], (value) => setView(name, value ?? []), { id: `view-${name}`, label: words(name) })))),
      section("Theme", fields("theme", defs.Theme)),
      section("Who may open it", fields("access", defs.ViewAccess)),
      section("State", states(view)),
    ]
  }

  function states(view) {
    const list = (view.state ?? []).map((state) => {
      const key = `${state.scope ?? "session"}.${state.name}`
      return h("div", { class: "state-line" }, icon("state"), h("code", { text: key }), iconButton("trash", `Remove ${key}`, () => context.commit([{ op: "undeclare", state: key }], { label: "Remove state" })))
    })
    return h("div", {}, list.length ? list : h("p", { class: "muted", text: "What the page remembers. A worklet's answer goes into one." }),
      button("New state…", (press) => context.newState(press.currentTarget), { icon: "plus", kind: "quiet small" }))
  }

  return { paint, focus: () => host.querySelector(".section input, .section textarea, .section select")?.focus() }
}

const PAGE_FIELDS = { hidden: "Not in the list of pages", params: "Parameters in its address" }

const clean = (value) => Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined))

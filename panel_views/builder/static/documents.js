// Questions to a view document, and the same operations on it that the server makes, for showing them at once.

export const componentsOf = (view) => view.pages.flatMap((page) => page.components ?? [])

export const componentOf = (view, id) => componentsOf(view).find((part) => part.id === id) ?? null

export const pageOf = (view, id) => view.pages.find((page) => page.id === id) ?? view.pages[0]

export const pageWith = (view, id) => view.pages.find((page) => (page.components ?? []).some((part) => part.id === id)) ?? null

export const childrenOf = (page, parent) => (page.components ?? []).filter((part) => (part.parent ?? null) === parent)

// What a component has beside its kind, if it is one that an author wrote: as pushed, and what the view says of it already.
const COMMON = new Set(["value", "data"])

export function declared(part, kind, components = []) {
  if (!kind?.holds) return { properties: {}, values: [], events: [], bound: [] }
  const found = components.find((one) => one.name === part.properties?.component)
  const own = found?.properties?.properties ?? {}
  const events = [...new Set([...Object.keys(found?.events ?? {}), ...Object.keys(part.actions ?? {})])].filter((event) => !kind.events.includes(event))
  const bound = Object.keys(part.bindings ?? {}).filter((name) => !(name in kind.properties.properties) && !(name in own))
  return { known: Boolean(found), schema: found?.properties, own, properties: Object.fromEntries(Object.entries(own).filter(([name]) => !COMMON.has(name))), values: found?.values ?? [], events, bound }
}

export const stateKeys = (view) => (view.state ?? []).map((state) => `${state.scope ?? "session"}.${state.name}`)

const DEFAULT_PLACE = { x: 0, y: 0, w: 12, h: 2 }

export const placeOf = (part) => ({ ...DEFAULT_PLACE, ...part.at })

// From top left to bottom right, containers before what they hold: the way of the Tab key.
export function inReadingOrder(page) {
  const sorted = (parent) => childrenOf(page, parent).sort((a, b) => placeOf(a).y - placeOf(b).y || placeOf(a).x - placeOf(b).x)
  const branch = (parent) => sorted(parent).flatMap((part) => [part, ...branch(part.id)])
  return branch(null)
}

// The ids of all that containers hold, however deep.
export function within(page, ids) {
  const found = new Set()
  const layer = (parents) => {
    const inside = (page.components ?? []).filter((part) => parents.has(part.parent) && !found.has(part.id)).map((part) => part.id)
    inside.forEach((id) => found.add(id))
    if (inside.length) layer(new Set(inside))
  }
  layer(new Set(ids))
  return found
}

// The containers around a component, the innermost first.
export function above(page, id) {
  const parent = (page.components ?? []).find((part) => part.id === id)?.parent
  return parent ? [parent, ...above(page, parent)] : []
}

export function freshId(view, wanted, taken = new Set()) {
  const used = new Set([...componentsOf(view).map((part) => part.id), ...taken])
  const base = /^[A-Za-z]/.test(wanted) ? wanted.replace(/[^A-Za-z0-9_]/g, "_").slice(0, 50) : `x${wanted}`
  if (!used.has(base)) return base
  for (let number = 2; ; number += 1) if (!used.has(`${base}${number}`)) return `${base}${number}`
}

// The document after an operation. What can't be done is left to the server, which says why.
export function applied(view, operation) {
  const change = CHANGES[operation.op]
  if (!change) return view
  const copy = structuredClone(view)
  change(copy, operation)
  return copy
}

const CHANGES = {
  add(view, { page, component, index }) {
    const parts = (pageOf(view, page).components ??= [])
    parts.splice(index ?? parts.length, 0, structuredClone(component))
  },
  move(view, { id, at, parent }) {
    const part = componentOf(view, id)
    if (!part) return
    part.at = at
    if (parent) part.parent = parent
    else delete part.parent
  },
  set(view, { id, name, value, unset }) {
    const part = componentOf(view, id)
    if (!part) return
    part.properties ??= {}
    if (unset) delete part.properties[name]
    else part.properties[name] = value ?? null
  },
  bind(view, { id, name, binding }) {
    const part = componentOf(view, id)
    if (!part) return
    part.bindings ??= {}
    if (binding) part.bindings[name] = binding
    else delete part.bindings[name]
  },
  actions(view, { id, event, actions }) {
    const part = componentOf(view, id)
    if (!part) return
    part.actions ??= {}
    if (actions?.length) part.actions[event] = actions
    else delete part.actions[event]
  },
  remove(view, { id }) {
    for (const page of view.pages) {
      const gone = within(page, [id]).add(id)
      page.components = (page.components ?? []).filter((part) => !gone.has(part.id))
    }
  },
  add_page(view, { page, index }) { view.pages.splice(index ?? view.pages.length, 0, structuredClone(page)) },
  set_page(view, { page, name, value }) { pageOf(view, page)[name] = value },
  order_pages(view, { pages }) { view.pages.sort((a, b) => pages.indexOf(a.id) - pages.indexOf(b.id)) },
  remove_page(view, { page }) { view.pages = view.pages.filter((each) => each.id !== page) },
  set_view(view, { name, value }) { view[name] = value },
  declare(view, { state }) {
    view.state ??= []
    const key = (one) => `${one.scope ?? "session"}.${one.name}`
    const at = view.state.findIndex((one) => key(one) === key(state))
    if (at < 0) view.state.push(state)
    else view.state[at] = state
  },
  undeclare(view, { state }) { view.state = (view.state ?? []).filter((one) => `${one.scope ?? "session"}.${one.name}` !== state) },
}

// What an operation is about, to find out whether two people touch the same thing.
export function target(operation) {
  if (operation.op === "add") return `component:${operation.component.id}`
  if (operation.id) return operation.op === "set" || operation.op === "bind" ? `component:${operation.id}:${operation.name}` : `component:${operation.id}`
  if (operation.op === "order_pages") return "pages"
  if (operation.page) return `page:${operation.page.id ?? operation.page}`
  if (operation.state) return `state:${operation.state.name ?? operation.state}`
  return `view:${operation.name ?? ""}`
}

// Two targets clash if one holds the other: a removed component clashes with a change to its label.
export function clash(mine, theirs) {
  const holds = (a, b) => a === b || b.startsWith(`${a}:`)
  return mine.some((one) => theirs.some((other) => holds(one, other) || holds(other, one)))
}

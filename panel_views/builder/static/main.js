// The builder: puts its parts together, and keeps them in step with the draft.
import { button, debounced, dialog, h, icon, iconButton, toast } from "./dom.js"
import { childrenOf, componentOf, declared, freshId, inReadingOrder, pageOf, pageWith, placeOf, stateKeys, within } from "./documents.js"
import { newState } from "./bindings.js"
import { makeCanvas } from "./canvas.js"
import { copied, keep, kept, pasteOperations } from "./clipboard.js"
import { makeGestures, placed } from "./gestures.js"
import { makeInspector } from "./inspector.js"
import { bottomOf, clampPlace, freePlace, makeRoom } from "./layout.js"
import { makeData, makeOutline, makePages, makePalette } from "./panels.js"
import { call, openSession } from "./session.js"
import { publishDialog, versionsDialog } from "./versions.js"

const PREVIEW_MS = 250
const root = document.getElementById("builder")
const slug = root.dataset.slug
const at = (name) => root.querySelector(`[data-part="${name}"]`)

const session = openSession(slug, heard)
const refreshPreview = debounced(() => canvas.reload(context.page), PREVIEW_MS)
let known = { worklets: [], tables: [], models: [] }
let ready = false

// What the panels need of the whole.
const context = {
  kinds: new Map(),
  schema: {},
  page: "main",
  selection: new Set(),
  view: () => session.view,
  sources: () => known,
  commit: (operations, options) => session.commit(operations, options),
  select, open, add, addAnywhere, connect, duplicate, remove,
  newState: (anchor, made) => newState(context, anchor, made),
  stateNote: (key) => ({ session: "this tab", user: "this user, for good", view: "everybody, for good" })[key.split(".")[0]],
  statePaths,
  choicesFor,
  declared: (part) => declared(part, context.kinds.get(part.type), known.components),
  valuesOf,
}

// What the gestures look at; a getter each, for both change.
const gestureState = { get view() { return session.view }, get page() { return context.page }, get selection() { return context.selection } }

const canvas = makeCanvas(at("canvas"), { address: `/views/~${slug}`, kinds: context.kinds, onReady: previewed })
const gestures = makeGestures({ canvas, state: gestureState, select, commit: context.commit })
const inspector = makeInspector(at("inspector"), context)
const outline = makeOutline(at("outline"), context)
const pages = makePages(at("pages"), context)
let palette = null
let data = null

// --- selecting, pages ---------------------------------------------------------------------------------------------

function select(ids, { reveal = false } = {}) {
  context.selection = ids
  session.select(ids.size === 1 ? [...ids][0] : "")
  canvas.setSelection(ids)
  inspector.paint()
  outline.paint()
  if (reveal) canvas.boxOf([...ids][0])?.scrollIntoView({ block: "nearest", behavior: "smooth" })
}

function open(page) {
  context.page = page
  select(new Set())
  canvas.setView(session.view, page)
  pages.paint()
  at("canvas").dataset.preview = "stale"
  canvas.reload(page)
}

// --- adding -------------------------------------------------------------------------------------------------------

async function add(kind, place, parent) {
  const page = pageOf(session.view, context.page)
  const id = freshId(session.view, kind.type)
  const places = Object.fromEntries(childrenOf(page, parent).map((part) => [part.id, placeOf(part)]))
  const pushed = makeRoom({ ...places, [id]: place }, new Set([id]))
  const component = { id, type: kind.type, at: place, ...(parent ? { parent } : {}), properties: startingProperties(kind) }
  const moves = Object.entries(pushed).map(([other, at]) => ({ op: "move", id: other, at, parent }))
  const made = session.commit([{ op: "add", page: page.id, component }, ...moves], { label: `Add ${kind.title.toLowerCase()}` })
  select(new Set([id]))
  arriving = id
  return made
}

// A text without words could not be seen, nor pressed.
function startingProperties(kind) {
  const properties = kind.properties.properties ?? {}
  if ("text" in properties && !properties.text.default) return { text: kind.type === "alert" ? "Something to know" : "Text" }
  return {}
}

// Without a mouse: into the selected container, or below what is on the page.
function addAnywhere(kind) {
  const chosen = context.selection.size === 1 ? componentOf(session.view, [...context.selection][0]) : null
  const parent = !kind.container && chosen ? (context.kinds.get(chosen.type)?.container ? chosen.id : chosen.parent ?? null) : null
  const places = childrenOf(pageOf(session.view, context.page), parent).map(placeOf)
  const size = { w: parent ? 12 : kind.size[0], h: kind.size[1] }
  return add(kind, freePlace(places, size), parent)
}

// Puts a worklet, table or state on the page, connected.
async function connect(kind, name, place, parent) {
  const page = pageOf(session.view, context.page)
  const y = place && !parent ? place.y : bottomOf(childrenOf(page, null).map(placeOf))
  if (kind === "state") return connectState(name, place ?? { x: 0, y, w: 6, h: 1 }, parent)
  try {
    const { operations } = await call("POST", `${session.base}/draft/pieces`, { page: page.id, [kind]: name, y })
    const added = operations.filter((one) => one.op === "add" && !one.component.parent)
    const height = bottomOf(added.map((one) => placeOf(one.component))) - y
    // Whatever stands at or below that row makes room.
    const moves = childrenOf(page, null).filter((part) => placeOf(part).y >= y).map((part) => ({ op: "move", id: part.id, at: clampPlace({ ...placeOf(part), y: placeOf(part).y + height }), parent: null }))
    await session.commit([...operations, ...moves], { label: `Connect ${name}` })
    select(new Set(added.map((one) => one.component.id)))
    if (!place) arriving = added[0]?.component.id ?? null
  } catch (problem) {
    refuse(problem)
  }
}

function connectState(key, place, parent) {
  const id = freshId(session.view, key.split(".")[1])
  const component = { id, type: "text", at: place, ...(parent ? { parent } : {}), properties: { text: "" }, bindings: { text: { state: key } } }
  session.commit([{ op: "add", page: context.page, component }], { label: `Show ${key}` })
  select(new Set([id]))
}

// --- what is done to the selection ------------------------------------------------------------------------------------

function remove() {
  const ids = [...context.selection]
  const parts = ids.map((id) => componentOf(session.view, id)).filter(Boolean)
  const held = within(pageOf(session.view, context.page), ids)
  const operations = parts.filter((part) => !held.has(part.id)).map((part) => ({ op: "remove", id: part.id }))
  select(new Set())
  return session.commit(operations, { label: operations.length > 1 ? "Delete several" : "Delete" })
}

async function paste(parts, label = "Paste") {
  const { operations, ids } = pasteOperations(session.view, context.page, parts)
  if (!operations.length) return
  if (await session.commit(operations, { label, clear: true })) select(new Set(ids.filter((id) => !componentOf(session.view, id)?.parent || ids.length === 1)), { reveal: true })
}

const copy = () => { if (context.selection.size) keep(copied(session.view, context.selection)) }

function duplicate() { return paste(copied(session.view, context.selection), "Duplicate") }

function nudge(x, y, resize) {
  const ids = [...context.selection]
  const held = within(pageOf(session.view, context.page), ids)
  const parts = ids.map((id) => componentOf(session.view, id)).filter((part) => part && !held.has(part.id))
  if (!parts.length) return
  const moved = Object.fromEntries(parts.map((part) => {
    const place = placeOf(part)
    return [part.id, clampPlace(resize ? { ...place, w: place.w + x, h: place.h + y } : { ...place, x: place.x + x, y: place.y + y })]
  }))
  session.commit(placed(pageOf(session.view, context.page), moved, parts[0].parent ?? null), { label: resize ? "Resize" : "Move" })
}

// --- choices for fields that name something -----------------------------------------------------------------------------

function choicesFor(name, schema) {
  if (schema.enum) return null
  if (schema.names === "custom") return known.components.map((one) => [one.name, one.title])
  if (name === "worklet") return known.worklets.map((one) => [one.name, one.name])
  if (name === "table") return known.tables.map((one) => [one.name, one.name])
  if (name === "model") return known.models.map((one) => [one.name, one.name])
  if (name === "api") return (session.view.apis ?? []).map((one) => [one.name, one.name])
  if (name === "query") return (session.view.queries ?? []).map((one) => [one.name, one.name])
  if (name === "page") return session.view.pages.map((page) => [page.id, page.title || page.id])
  if (name === "into" || name === "state") return stateKeys(session.view).map((key) => [key, key])
  if (name === "modal") return session.view.pages.flatMap((page) => page.components ?? []).filter((part) => part.type === "modal").map((part) => [part.id, part.id])
  if (name === "component") return session.view.pages.flatMap((page) => page.components ?? []).map((part) => [part.id, part.id])
  return null
}

// The parts of a state's value that are known: the fields of the answer of the worklet that fills it.
function statePaths(key) {
  const runs = []
  const look = (value) => {
    if (Array.isArray(value)) value.forEach(look)
    else if (value && typeof value === "object") {
      if (value.do === "run_worklet" && value.into === key) runs.push(value.worklet)
      Object.values(value).forEach(look)
    }
  }
  look(session.view.pages)
  return [...new Set(runs)].flatMap((name) => known.worklets.find((one) => one.name === name)?.output.map((field) => field.name) ?? [])
}

// What bindings may read of a component.
function valuesOf(part) {
  const kind = context.kinds.get(part.type)
  const { known: pushed, own, values } = declared(part, kind, known.components)
  return [...(kind?.values ?? []).filter((value) => !pushed || value in own), ...values]
}

// --- what the session tells -----------------------------------------------------------------------------------------------

function heard(kind, details) {
  const act = {
    changed: paint,
    saving: (busy) => { saving = busy; status() },
    people: showPeople,
    refused: ({ problem }) => refuse(problem),
    conflict: ({ problem, changes, again }) => {
      const who = [...new Set(changes.map((change) => change.by))].join(", ")
      toast(`${who} changed the same thing a moment ago. Your change was not made.`, { kind: "bad", seconds: 0, details: problem.faults.map((fault) => fault.msg), actions: [["Make it anyway", again]] })
    },
    others: (changes) => toast(`${[...new Set(changes.map((change) => change.by))].join(", ")} is editing too`, { details: changes.flatMap((change) => change.summary.map((line) => line.text)) }),
    also: (lines) => toast("What read it went with it. Undo brings all of it back.", { details: lines.map((line) => line.text) }),
    lost: (problem) => { lost = true; status(); if (!told) { told = true; toast(problem.message, { kind: "bad" }) } },
  }[kind]
  act(details)
}

let saving = false
let lost = false
let told = false

function refuse(problem) {
  if (problem.status === 401) return toast("Your session has ended. Sign in again; the draft is kept.", { kind: "bad", seconds: 0, actions: [["Sign in", () => location.reload()]] })
  toast(problem.message, { kind: "bad", details: problem.faults?.map((fault) => `${(fault.loc ?? []).slice(-2).join(".")}: ${fault.msg}`) ?? [], seconds: 12 })
}

function paint(operations) {
  if (!ready) return
  const view = session.view
  if (!view.pages.some((page) => page.id === context.page)) context.page = view.pages[0].id
  const gone = [...context.selection].filter((id) => !pageWith(view, id))
  if (gone.length) context.selection = new Set([...context.selection].filter((id) => !gone.includes(id)))
  canvas.setView(view, context.page)
  // A list: what is shown before the server has it; null: the server has it now; []: the preview knows nothing of it.
  if (operations?.length) {
    stale = canvas.show(operations) || stale
    if (stale) at("canvas").dataset.preview = "stale"
  } else if (stale || operations !== null) {
    stale = false
    at("canvas").dataset.preview = "stale"
    refreshPreview()
  }
  canvas.setSelection(context.selection)
  inspector.paint()
  outline.paint()
  pages.paint()
  data.paint()
  at("title").textContent = view.title
  document.title = `${view.title} · Builder`
  status()
}

let stale = false

function status() {
  const draft = session.draft
  if (!draft) return
  const text = lost ? "Not connected" : saving ? "Saving…" : draft.unpublished ? "Draft saved" : "Published"
  at("status").textContent = text
  at("status").title = `Revision ${draft.revision}${draft.updated_by ? `, by ${draft.updated_by}` : ""}`
  at("status").dataset.state = lost ? "lost" : saving ? "saving" : draft.unpublished ? "draft" : "published"
  at("undo").disabled = !session.canUndo()
  at("redo").disabled = !session.canRedo()
  at("undo").title = session.canUndo() ? `Undo: ${session.nextUndo()}` : "Nothing to undo"
  at("redo").title = session.canRedo() ? `Redo: ${session.nextRedo()}` : "Nothing to redo"
  const live = at("live")
  live.hidden = draft.published === null
}

function showPeople(people) {
  if (lost) { lost = false; told = false; status() }
  const names = [...new Map(people.map((person) => [person.name, person])).values()]
  at("people").replaceChildren(...names.map((person) => h("span", { class: "avatar", title: `${person.name} is editing this view too${person.selected ? `: ${person.selected}` : ""}`, text: (person.name[0] ?? "?").toUpperCase() })),
    ...(names.length ? [h("small", { text: names.length === 1 ? `${names[0].name} is here` : `${names.length} others` })] : []))
  canvas.setOthers(people)
}

// What was put below all else comes into sight once it is drawn.
let arriving = null

function previewed(fine) {
  const box = arriving && canvas.boxOf(arriving)
  if (box) {
    arriving = null
    box.scrollIntoView({ block: "nearest", behavior: "smooth" })
  }
  at("canvas").classList.remove("first")
  if (!stale && !refreshPreview.waiting()) at("canvas").dataset.preview = "fresh"
  if (!fine) toast("The preview could not be drawn. The draft is saved; the views' process may be starting.", { kind: "bad", actions: [["Try again", () => canvas.reload(context.page)]] })
}

// --- the bar and the keyboard ----------------------------------------------------------------------------------------------

function setMode(mode) {
  canvas.setMode(mode)
  for (const name of ["edit", "try"]) at(name).setAttribute("aria-pressed", String(name === mode))
  if (mode === "try") select(new Set())
}

function setDevice(device) {
  canvas.setDevice(device)
  for (const name of ["desktop", "phone"]) at(name).setAttribute("aria-pressed", String(name === device))
}

function showTab(name) {
  for (const tab of root.querySelectorAll("[data-tab]")) {
    tab.setAttribute("aria-selected", String(tab.dataset.tab === name))
    at(tab.dataset.tab).hidden = tab.dataset.tab !== name
  }
}

const SHORTCUTS = [["Arrows", "Move by one column or row"], ["Shift + arrows", "Resize"], ["Ctrl + Z, Ctrl + Y", "Undo, redo"], ["Ctrl + C, X, V", "Copy, cut, paste"], ["Ctrl + D", "Duplicate"], ["Ctrl + A", "Select all"], ["Delete", "Delete"], ["Tab", "Go through the components"], ["Enter", "Edit the properties"], ["Escape", "Let go of the selection; end a drag"], ["Ctrl + S", "Publish…"]]

const showKeys = () => dialog("Keyboard", (body) => body.append(h("dl", { class: "keys" }, SHORTCUTS.map(([keys, what]) => h("div", {}, h("dt", {}, h("kbd", { text: keys })), h("dd", { text: what }))))))

const KEYS = { arrowleft: [-1, 0], arrowright: [1, 0], arrowup: [0, -1], arrowdown: [0, 1] }

function onKey(event) {
  const typing = event.target.closest?.("input, textarea, select, [contenteditable], dialog, .popover")
  const command = event.ctrlKey || event.metaKey
  const key = event.key.toLowerCase()
  if (command && key === "s") { event.preventDefault(); return publish() }
  if (typing) return
  const act = command ? { z: event.shiftKey ? session.redo : session.undo, y: session.redo, c: copy, x: () => { copy(); return remove() }, v: () => paste(kept()), d: duplicate, a: selectAll }[key]
    : { delete: remove, backspace: remove, escape: () => select(new Set()), "?": showKeys, ...(event.target.closest?.("[data-box]") ? { enter: inspector.focus } : {}) }[key]
  if (act) {
    if (command && key === "c" && String(getSelection())) return
    event.preventDefault()
    act()
  } else if (KEYS[key] && context.selection.size && !command) {
    event.preventDefault()
    nudge(...KEYS[key], event.shiftKey)
  }
}

const selectAll = () => select(new Set(inReadingOrder(pageOf(session.view, context.page)).filter((part) => !part.parent).map((part) => part.id)))

const publish = () => publishDialog(session, async (made) => {
  await session.load()
  toast(`Version ${made.version} is published.`, { kind: "good", actions: [["Open it", () => window.open(made.address, "_blank", "noopener")]] })
})

function wire() {
  const on = (name, act) => at(name).addEventListener("click", act)
  on("undo", session.undo)
  on("redo", session.redo)
  on("edit", () => setMode("edit"))
  on("try", () => setMode("try"))
  on("desktop", () => setDevice("desktop"))
  on("phone", () => setDevice("phone"))
  on("versions", () => versionsDialog(session).catch(refuse))
  on("publish", () => publish().catch(refuse))
  on("keys", showKeys)
  for (const tab of root.querySelectorAll("[data-tab]")) tab.addEventListener("click", () => showTab(tab.dataset.tab))
  addEventListener("keydown", onKey)
  at("canvas").addEventListener("focusin", (event) => {
    const box = event.target.closest("[data-box]")
    // With the mouse the press selects; this is the way of the Tab key.
    if (box && !context.selection.has(box.dataset.box) && box.matches(":focus-visible")) select(new Set([box.dataset.box]))
  })
  addEventListener("resize", debounced(() => { canvas.fit(); canvas.draw() }, 60))
}

async function begin() {
  try {
    const [, components, schema, sources] = await Promise.all([session.load(), call("GET", "/api/views/components"), call("GET", "/api/views/schema"), call("GET", "/api/views/sources")])
    for (const kind of components.components) context.kinds.set(kind.type, kind)
    context.schema = schema
    known = sources
  } catch (problem) {
    at("canvas").replaceChildren(h("div", { class: "lost" }, icon("warning"), h("p", { text: problem.message }), button("Try again", () => location.reload())))
    return
  }
  context.page = session.view.pages[0].id
  palette = makePalette(at("components"), context, gestures)
  data = makeData(at("data"), context, gestures)
  ready = true
  wire()
  paint([])
  refreshPreview.flush()
  session.here()
  root.dataset.ready = "true"
}

begin()

// The left-hand panels: components to drag in, data to connect, the outline of the page, and the pages.
import { button, drawing, h, icon, iconButton, popover } from "./dom.js"
import { words } from "./fields.js"
import { childrenOf, pageOf, placeOf } from "./documents.js"

const CATEGORIES = { input: "Inputs", action: "Actions", text: "Text and status", media: "Pictures and media", data: "Data", layout: "Layout" }

// --- palette --------------------------------------------------------------------------------------------------

export function makePalette(host, context, gestures) {
  const list = h("div", { class: "palette" })
  const search = h("input", { type: "search", placeholder: "Find a component", "aria-label": "Find a component", oninput: paint })
  host.append(h("div", { class: "search" }, icon("search"), search), list)

  function paint() {
    const wanted = search.value.trim().toLowerCase()
    const groups = new Map()
    for (const kind of context.kinds.values()) {
      if (wanted && !`${kind.title} ${kind.type}`.toLowerCase().includes(wanted)) continue
      const name = CATEGORIES[kind.category] ?? kind.category
      groups.set(name, [...(groups.get(name) ?? []), kind])
    }
    const order = Object.values(CATEGORIES)
    const sorted = [...groups].sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    list.replaceChildren(...sorted.map(([name, kinds]) => h("section", {}, h("h3", { text: name }), h("div", { class: "tiles-small" }, kinds.map(tile)))))
    if (!groups.size) list.append(h("p", { class: "empty", text: "No component is called that." }))
  }

  function tile(kind) {
    const make = (at, parent) => context.add(kind, at, parent)
    return h("button", {
      type: "button", class: "tile-small", title: kind.description || `Drag ${kind.title} onto the page, or press Enter`, "data-kind": kind.type,
      onpointerdown: (event) => { if (event.button === 0) gestures.bring(event, { label: kind.title, size: { w: kind.size[0], h: kind.size[1] }, make }) },
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); context.addAnywhere(kind) } },
      ondblclick: () => context.addAnywhere(kind),
    }, drawing(kind.thumbnail), h("span", { text: kind.title }))
  }

  paint()
  return { paint }
}

// --- data -------------------------------------------------------------------------------------------------------

export function makeData(host, context, gestures) {
  function paint() {
    const { worklets, tables, models } = context.sources()
    const view = context.view()
    const declared = view.tables ?? []
    const queries = view.queries ?? []
    host.replaceChildren(
      h("p", { class: "hint", text: "Drag one onto the page, or press Enter on it. What belongs to it comes along, connected." }),
      group("Worklets", worklets.map((one) => item("worklet", one.name, one.description.replaceAll("`", "") || fieldsOf(one), "worklet", { w: 12, h: 8 })), "No worklet yet: worklets push brings one in."),
      group("Models", models.map((one) => one.live
        ? item("model", one.name, one.about || one.description || `version ${one.live}`, "model", { w: 12, h: 6 })
        : h("div", { class: "source still", title: "None of its versions answers" }, icon("model"), h("span", {}, h("strong", { text: one.name }), h("small", { text: "not live" })))), "No model yet: worklets deploy brings one in."),
      group("Tables", tables.map((one) => item("table", one.name, `${counted(one.rows, "row")}${one.columns.length ? ` · ${one.columns.slice(0, 4).join(", ")}` : ""}`, "table", { w: 12, h: 5 })), "No table yet: pw.save in a worklet fills one."),
      group("Tables of this view", declared.map((one) => item("declared", one.name, `to edit · ${(Array.isArray(one.columns) ? one.columns : []).map((column) => column.name).slice(0, 4).join(", ")}`, "table", { w: 12, h: 12 })), "None yet: declare one under “Tables, queries and APIs”, where nothing is selected."),
      group("Queries of this view", queries.map((one) => item("query", one.name, one.sql, "query", { w: 12, h: 9 })), "None yet: write one in the same place."),
      group("State", (view.state ?? []).map((state) => {
        const key = `${state.scope ?? "session"}.${state.name}`
        return item("state", key, context.stateNote(key), "state", { w: 6, h: 1 })
      }), "No state yet."),
    )
  }

  const counted = (number, what) => `${number} ${what}${number === 1 ? "" : "s"}`

  const fieldsOf = (one) => `${one.input.map((field) => field.name).join(", ")} → ${one.output.map((field) => field.name).join(", ") || "value"}`

  const group = (title, items, empty) => h("section", { class: "group-list" }, h("h3", {}, title, h("span", { class: "count", text: String(items.length) })), items.length ? items : h("p", { class: "empty", text: empty }))

  function item(kind, name, note, image, size) {
    const make = (at, parent) => context.connect(kind, name, at, parent)
    return h("button", {
      type: "button", class: "source", title: `Drag ${name} onto the page, or press Enter`, "data-source": `${kind}:${name}`,
      onpointerdown: (event) => { if (event.button === 0) gestures.bring(event, { label: name, size, make }) },
      onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); context.connect(kind, name, null, null) } },
    }, icon(image), h("span", {}, h("strong", { text: name }), h("small", { text: note })))
  }

  return { paint }
}

// --- outline ----------------------------------------------------------------------------------------------------

export function makeOutline(host, context) {
  function paint() {
    const page = pageOf(context.view(), context.page)
    const branch = (parent) => childrenOf(page, parent).sort((a, b) => placeOf(a).y - placeOf(b).y || placeOf(a).x - placeOf(b).x).map((part) => {
      const kind = context.kinds.get(part.type)
      const inside = branch(part.id)
      const flags = [Object.keys(part.bindings ?? {}).length && "link", Object.keys(part.actions ?? {}).length && "play"].filter(Boolean)
      return h("li", { role: "treeitem", "aria-selected": String(context.selection.has(part.id)) },
        h("button", { type: "button", class: "leaf", "data-leaf": part.id, onclick: (event) => context.select(event.shiftKey ? new Set([...context.selection, part.id]) : new Set([part.id]), { reveal: true }) },
          h("span", { class: "art" }, kind ? drawing(kind.thumbnail) : icon("more")), h("span", { class: "leaf-name", text: part.id }), h("small", { text: part.properties?.label || part.properties?.title || kind?.title || "" }), flags.map(icon)),
        inside.length ? h("ul", { role: "group" }, inside) : null)
    })
    const leaves = branch(null)
    const kept = host.querySelector(".leaf:focus")?.dataset.leaf
    host.replaceChildren(leaves.length ? h("ul", { class: "tree", role: "tree", "aria-label": "Components of this page" }, leaves) : h("p", { class: "empty", text: "This page is empty." }))
    if (kept) host.querySelector(`[data-leaf="${kept}"]`)?.focus()
  }
  host.addEventListener("keydown", (event) => {
    if (event.key !== "ArrowDown" && event.key !== "ArrowUp") return
    const leaves = [...host.querySelectorAll(".leaf")]
    const next = leaves[leaves.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1)]
    if (next) { event.preventDefault(); event.stopPropagation(); next.focus() }
  })
  return { paint }
}

// --- pages ------------------------------------------------------------------------------------------------------

export function makePages(host, context) {
  const order = (ids) => context.commit([{ op: "order_pages", pages: ids }], { label: "Reorder pages" })

  function paint() {
    const { pages } = context.view()
    const ids = pages.map((page) => page.id)
    host.replaceChildren(
      h("div", { class: "page-tabs" }, pages.map((page, index) => h("div", { class: "page-tab", "data-page": page.id },
        h("button", { type: "button", class: "page-name", "aria-current": page.id === context.page && "page", onclick: () => context.open(page.id), ondblclick: (event) => menu(event.currentTarget, page, index, ids) }, h("span", { text: page.title || words(page.id) })),
        page.id === context.page ? iconButton("more", `Page ${page.title || page.id}`, (event) => menu(event.currentTarget, page, index, ids)) : null))),
      iconButton("plus", "Add a page", async () => {
        const id = freshPage(ids)
        if (await context.commit([{ op: "add_page", page: { id, title: `Page ${ids.length + 1}` } }], { label: "Add a page" })) context.open(id)
      }))
  }

  function menu(anchor, page, index, ids) {
    popover(anchor, (box, close) => {
      const title = h("input", { type: "text", value: page.title ?? "", placeholder: page.id, maxlength: 200, "aria-label": "Title of the page" })
      const rename = () => { close(); context.commit([{ op: "set_page", page: page.id, name: "title", value: title.value.trim() }], { label: "Rename the page" }) }
      const shift = (by) => {
        const next = ids.filter((id) => id !== page.id)
        next.splice(index + by, 0, page.id)
        close()
        order(next)
      }
      box.append(h("form", { onsubmit: (event) => { event.preventDefault(); rename() } }, h("label", {}, "Title", title)),
        h("div", { class: "menu" }, button("Rename", rename, { icon: "check" }),
          index > 0 ? button("Move left", () => shift(-1), { icon: "back" }) : null,
          index < ids.length - 1 ? button("Move right", () => shift(1), { icon: "chevron" }) : null,
          ids.length > 1 ? button("Delete the page", async () => {
            close()
            if (await context.commit([{ op: "remove_page", page: page.id }], { label: "Delete the page" })) context.open(ids.find((id) => id !== page.id))
          }, { icon: "trash", kind: "danger" }) : null))
    }, { label: "Page" })
  }

  return { paint }
}

function freshPage(ids) {
  for (let number = ids.length + 1; ; number += 1) if (!ids.includes(`page${number}`)) return `page${number}`
}

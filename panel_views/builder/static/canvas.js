// The page as people will see it (a frame with the draft, run for real) under a sheet that takes the mouse: a box over
// each component, to select, move and resize it. A newer preview is made behind the one that is seen, and put in its
// place when it is drawn, so that nothing flickers.
import { h } from "./dom.js"
import { above, inReadingOrder, pageOf, placeOf } from "./documents.js"
import { COLUMNS } from "./layout.js"

const DRAWN_MS = 20_000
const LAYOUT_TRIES = 20
const ROOM = 160
const PHONE_WIDTH = 390
// A desktop's page is never shown narrower, or it would stack as on a phone; it is made smaller instead.
const DESKTOP_WIDTH = 960
const MARGIN = 18
const HANDLES = ["n", "e", "s", "w", "ne", "se", "sw", "nw"]

export function makeCanvas(host, { address, kinds, onReady }) {
  const frames = h("div", { class: "frames" })
  const sheet = h("div", { class: "overlay", "data-overlay": true })
  const guides = h("div", { class: "guides", hidden: true })
  const marker = h("div", { class: "marker", hidden: true })
  const pending = h("div", { class: "pending" })
  const blank = h("div", { class: "blank", hidden: true }, h("strong", { text: "This page is empty" }),
    h("span", { text: "Drag a component here, or a worklet, a model or a table from Data: what belongs to it comes along, connected." }))
  const stage = h("div", { class: "stage" }, frames, h("div", { class: "shield" }, blank, pending, guides, sheet, marker))
  const sizer = h("div", { class: "sizer" }, stage)
  const scroller = h("div", { class: "scroller", tabindex: "-1" }, sizer)
  host.append(scroller)

  let frame = null // the one that is seen
  let coming = null
  let wanted = null // what the preview shall show, and whether it is stale
  let page = null
  let selection = new Set()
  let others = []
  let watcher = null
  let device = "desktop"
  let scale = 1
  const boxes = new Map()
  const opened = new Set()
  const doc = () => frame?.contentDocument ?? null

  // --- the preview ----------------------------------------------------------------------------------------

  function reload(pageId) {
    wanted = pageId
    if (!coming) bring()
  }

  async function bring() {
    const asked = wanted
    wanted = null
    coming = h("iframe", { class: "preview coming", title: "Preview of the draft", tabindex: "-1", src: `${address}?page=${encodeURIComponent(asked)}&at=${Date.now()}` })
    fit()
    coming.style.height = stage.style.height
    frames.append(coming)
    const fine = await drawn(coming) && await laidOut(coming, (page?.components ?? []).length > 0)
    if (wanted !== null) {
      coming.remove()
      return bring()
    }
    if (fine || !frame) put(coming)
    else coming.remove()
    coming = null
    host.classList.toggle("failed", !fine)
    onReady(fine)
  }

  function put(next) {
    frame?.remove()
    frame = next
    frame.classList.remove("coming")
    pending.replaceChildren()
    watcher?.disconnect()
    const body = doc()?.body
    if (!body) return
    watcher = new ResizeObserver(() => { fit(); draw() })
    watcher.observe(doc().querySelector("main") ?? body)
    frame.contentWindow.addEventListener("keydown", (event) => host.dispatchEvent(new CustomEvent("framekey", { detail: event })))
    fit()
    const [id] = selection
    const cell = selection.size === 1 ? found().cells.get(id) : null
    if (cell && !isSeen(cell)) reveal(id)
    else draw()
  }

  function fit() {
    const room = scroller.clientWidth - 2 * MARGIN
    const width = device === "phone" ? PHONE_WIDTH : Math.max(DESKTOP_WIDTH, Math.min(room, 1200))
    scale = Math.min(1, room / width)
    const main = doc()?.querySelector("main")
    const bottom = main ? main.getBoundingClientRect().bottom + (frame.contentWindow.scrollY || 0) : 0
    const height = Math.max(bottom + ROOM, (scroller.clientHeight - 2 * MARGIN) / scale)
    stage.style.width = `${width}px`
    stage.style.height = `${height}px`
    stage.style.transform = scale < 1 ? `scale(${scale})` : ""
    sizer.style.width = `${width * scale}px`
    sizer.style.height = `${height * scale}px`
    if (frame) frame.style.height = `${height}px`
  }

  // --- what is where ----------------------------------------------------------------------------------------

  // Every component's cell and every grid (by the container's id; "" is the page), wherever the shadow roots are.
  function found() {
    const cells = new Map()
    const grids = new Map()
    const visit = (node, inside) => {
      for (const element of node.children ?? []) {
        const id = element.getAttribute?.("data-component") ?? inside
        if (id !== inside) cells.set(id, element)
        if (element.classList?.contains("tracks")) grids.set(id, element)
        if (element.shadowRoot) visit(element.shadowRoot, id)
        visit(element, id)
      }
    }
    if (doc()?.body) visit(doc().body, "")
    return { cells, grids }
  }

  const rectOf = (element) => {
    const { left, top, width, height } = element.getBoundingClientRect()
    return { left, top, width, height }
  }

  // The grid's columns and rows in pixels of the sheet.
  function tracks(id) {
    const element = found().grids.get(id)
    if (!element) return null
    const box = rectOf(element)
    const style = frame.contentWindow.getComputedStyle(element)
    const gap = parseFloat(style.columnGap) || 0
    const unit = parseFloat(style.getPropertyValue("--unit")) || 56
    const single = style.gridTemplateColumns.split(" ").length < COLUMNS || box.width < 300
    const column = (box.width - gap * (COLUMNS - 1)) / COLUMNS
    const rows = style.gridTemplateRows === "none" ? [] : style.gridTemplateRows.split(" ").map(parseFloat).filter(Number.isFinite)
    const rowGap = parseFloat(style.rowGap) || 0
    const tops = [box.top]
    rows.forEach((height) => tops.push(tops.at(-1) + height + rowGap))
    const top = (row) => (row < tops.length ? tops[row] : tops.at(-1) + (row - tops.length + 1) * unit)
    return {
      id, box, gap, column, unit, single,
      left: (x) => box.left + x * (column + gap),
      top,
      columnAt: (px) => Math.floor((px - box.left + gap / 2) / (column + gap)),
      nearestColumn: (px) => Math.round((px - box.left) / (column + gap)),
      rowAt(py) {
        if (py < tops[0]) return 0
        for (let row = 0; row < tops.length - 1; row += 1) if (py < tops[row + 1]) return row
        return tops.length - 1 + Math.floor((py - tops.at(-1)) / unit)
      },
      nearestRow(py) {
        const row = this.rowAt(py)
        return py - top(row) > top(row + 1) - py ? row + 1 : row
      },
      rectOf: ({ x, y, w, h: high }) => {
        const left = box.left + x * (column + gap)
        return { left, top: top(y), width: w * column + (w - 1) * gap, height: top(y + high) - top(y) - gap }
      },
    }
  }

  // The grid that something dropped at a point goes into: a container's under the point, or the page's.
  function gridAt(px, py, except = new Set()) {
    const { cells, grids } = found()
    let deepest = ""
    // Containers come before what they hold.
    for (const id of grids.keys()) {
      const cell = cells.get(id)
      if (!id || !cell || except.has(id) || !isSeen(cell)) continue
      const { left, top, width, height } = rectOf(cell.classList.contains("modal") ? grids.get(id) : cell)
      if (px >= left && px <= left + width && py >= top && py <= top + height) deepest = id
    }
    return tracks(deepest)
  }

  // Shows what stands in a tab that is not chosen, or in a window that is closed.
  function reveal(id) {
    const { cells, grids } = found()
    for (const inner of [id, ...above(page, id)].reverse()) {
      const grid = grids.get((page.components ?? []).find((part) => part.id === inner)?.parent ?? "")
      const cell = cells.get(inner)
      if (!grid || !cell) continue
      if (cell.hidden) [...grid.children].forEach((each) => { each.hidden = each !== cell })
      const closed = grid.closest("dialog:not([open])")
      if (closed) {
        closed.showModal()
        opened.add(closed)
      }
    }
    draw()
  }

  // Closes the windows that were opened for something that is not selected any more.
  function leave(ids) {
    for (const window of opened) {
      const inside = [...ids].some((id) => found().cells.get(id)?.closest("dialog") === window)
      if (inside) continue
      window.close()
      opened.delete(window)
    }
  }

  function point(event) {
    const box = sheet.getBoundingClientRect()
    return { x: (event.clientX - box.left) / scale, y: (event.clientY - box.top) / scale }
  }

  // --- boxes --------------------------------------------------------------------------------------------------

  function draw() {
    if (!page) return
    const top = found().grids.get("")
    blank.hidden = (page.components ?? []).length > 0
    blank.style.top = top ? `${rectOf(top).top}px` : "132px" // about there, until the preview has come
    const { cells } = found()
    const present = new Set()
    let before = null
    for (const part of inReadingOrder(page)) {
      const cell = cells.get(part.id)
      if (!cell || !isSeen(cell)) continue
      present.add(part.id)
      const box = boxes.get(part.id) ?? makeBox(part)
      dress(box, part, cell)
      const follows = before ? before.nextSibling : sheet.firstChild
      if (follows !== box) sheet.insertBefore(box, follows)
      before = box
    }
    for (const [id, box] of boxes) if (!present.has(id)) { box.remove(); boxes.delete(id) }
  }

  function makeBox(part) {
    const box = h("div", { class: "box", tabindex: "0", role: "button", "data-box": part.id }, h("span", { class: "tag" }),
      HANDLES.map((side) => h("i", { class: `handle ${side}`, "data-handle": side })))
    boxes.set(part.id, box)
    return box
  }

  function dress(box, part, cell) {
    const kind = kinds.get(part.type)
    const chosen = selection.has(part.id)
    const title = part.properties?.label || part.properties?.title || ""
    const gap = parseFloat(frame.contentWindow.getComputedStyle(cell).paddingBottom) || 0
    const { left, top, width, height } = rectOf(cell)
    const style = { left, top, width, height: Math.max(20, height - gap) }
    for (const [name, value] of Object.entries(style)) box.style[name] = `${value}px`
    box.classList.toggle("selected", chosen)
    box.classList.toggle("only", chosen && selection.size === 1)
    box.classList.toggle("container", !!kind?.container)
    box.classList.toggle("inside", !!part.parent)
    const by = others.filter((person) => person.selected === part.id).map((person) => person.name)
    box.classList.toggle("theirs", by.length > 0)
    box.setAttribute("aria-pressed", String(chosen))
    box.setAttribute("aria-label", `${kind?.title ?? part.type} ${title || part.id}`)
    box.firstChild.textContent = by.length ? `${by.join(", ")} · ${part.id}` : `${kind?.title ?? part.type} · ${part.id}`
  }

  // --- changes that are shown before the preview has them -------------------------------------------------------

  function show(operations) {
    const { cells, grids } = found()
    let again = false
    for (const operation of operations) {
      const cell = cells.get(operation.id)
      if (operation.op === "move" && cell && inThere(cell, grids.get(operation.parent ?? ""))) {
        for (const side of ["x", "y", "w", "h"]) cell.style.setProperty(`--${side}`, operation.at[side])
        cell.classList.toggle("half", operation.at.w <= 6)
        continue
      }
      again = true
      if (operation.op === "remove" && cell) cell.style.display = "none"
      if (operation.op === "add") expect(operation.component)
    }
    fit()
    draw()
    return again
  }

  const inThere = (cell, grid) => grid === cell.parentElement

  function expect(part) {
    const grid = tracks(part.parent ?? "")
    if (!grid) return
    const made = h("div", { class: "soon" }, h("span", { text: `${kinds.get(part.type)?.title ?? part.type}…` }))
    const box = grid.rectOf(placeOf(part))
    for (const [name, value] of Object.entries(box)) made.style[name] = `${value}px`
    pending.append(made)
  }

  function mark(grid, place) {
    marker.hidden = guides.hidden = !grid
    if (!grid) return
    for (const [name, value] of Object.entries(grid.rectOf(place))) marker.style[name] = `${value}px`
    const bottom = Math.max(grid.box.top + grid.box.height, grid.top(place.y + place.h))
    guides.style.left = `${grid.box.left}px`
    guides.style.top = `${grid.box.top}px`
    guides.style.width = `${grid.box.width}px`
    guides.style.height = `${bottom - grid.box.top}px`
    guides.style.columnGap = `${grid.gap}px`
    if (!guides.children.length) guides.append(...Array.from({ length: COLUMNS }, () => h("i")))
  }

  return {
    scroller, sheet, stage, tracks, gridAt, point, show, reload, mark, draw, fit,
    boxOf: (id) => boxes.get(id) ?? null,
    rects: () => new Map([...found().cells].map(([id, cell]) => [id, rectOf(cell)])),
    cell: (id) => found().cells.get(id) ?? null,
    get document() { return doc() },
    setView(view, id) { page = pageOf(view, id); draw() },
    setSelection(ids) {
      selection = ids
      leave(ids)
      const [id] = ids
      const cell = ids.size === 1 ? found().cells.get(id) : null
      if (cell && !isSeen(cell)) reveal(id)
      else draw()
    },
    setOthers(people) { others = people; draw() },
    setDevice(chosen) {
      device = chosen
      host.classList.toggle("phone", device === "phone")
      fit()
      requestAnimationFrame(() => { fit(); draw() })
    },
    setMode(mode) { host.classList.toggle("trying", mode === "try") },
  }
}

// The page is drawn a moment before its components (`some`: there are any) have their places.
async function laidOut(frame, some) {
  for (let tries = 0; tries < LAYOUT_TRIES; tries += 1) {
    if (!some || cellsIn(frame.contentDocument).some(isSeen)) return true
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  return true
}

function cellsIn(node) {
  const found = []
  for (const element of node?.querySelectorAll("*") ?? []) {
    if (element.hasAttribute("data-component")) found.push(element)
    if (element.shadowRoot) found.push(...cellsIn(element.shadowRoot))
  }
  return found
}

const isSeen = (cell) => cell.getClientRects().length > 0

// Whether the frame's page was drawn in time; one that says why it can't be is not.
function drawn(frame) {
  const begun = performance.now()
  return new Promise((resolve) => {
    const look = () => {
      const inside = frame.contentDocument
      if (inside?.querySelector("#stage.drawn")) return resolve(true)
      const loaded = inside?.readyState === "complete" && inside.location.href !== "about:blank"
      if (!frame.isConnected || (loaded && !inside.querySelector("#stage"))) return resolve(false)
      if (performance.now() - begun > DRAWN_MS) return resolve(false)
      setTimeout(look, 40)
    }
    look()
  })
}

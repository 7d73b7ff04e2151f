// Making DOM from text that is never read as HTML, icons, dialogs, menus and short messages.

const SVG = "http://www.w3.org/2000/svg"

const ICONS = {
  undo: "M9 14 4 9l5-5M4 9h10a6 6 0 0 1 0 12h-3",
  redo: "m15 14 5-5-5-5M20 9H10a6 6 0 0 0 0 12h3",
  desktop: "M3 5a1 1 0 0 1 1-1h16a1 1 0 0 1 1 1v10a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1ZM9 20h6M12 16v4",
  phone: "M8 3h8a1 1 0 0 1 1 1v16a1 1 0 0 1-1 1H8a1 1 0 0 1-1-1V4a1 1 0 0 1 1-1ZM11 18h2",
  history: "M4 12a8 8 0 1 0 2.5-5.8L4 8.5M4 4v4.5h4.5M12 8v4.5l3 1.8",
  back: "M15 5l-7 7 7 7",
  plus: "M12 5v14M5 12h14",
  close: "M6 6l12 12M18 6 6 18",
  trash: "M5 7h14M10 7V4.5h4V7M7 7l1 12.5h8L17 7M10.5 10.5v6M13.5 10.5v6",
  copy: "M9 9h10v11H9ZM15 9V5H5v10h4",
  link: "M10 13.5a4 4 0 0 0 5.7 0l2.8-2.8a4 4 0 0 0-5.7-5.7l-1 1M14 10.5a4 4 0 0 0-5.7 0l-2.8 2.8a4 4 0 0 0 5.7 5.7l1-1",
  more: "M6 12h.01M12 12h.01M18 12h.01",
  chevron: "m9 6 6 6-6 6",
  down: "m6 9 6 6 6-6",
  up: "m6 15 6-6 6 6",
  page: "M6 3h8l4 4v14H6ZM14 3v4h4",
  worklet: "M5 5h5v5H5ZM14 14h5v5h-5ZM10 7.5h3.5a3 3 0 0 1 3 3V14",
  model: "M12 3 20 7.5v9L12 21l-8-4.5v-9ZM4 7.5l8 4.5 8-4.5M12 12v9",
  table: "M4 5h16v14H4ZM4 10h16M4 14.5h16M10 5v14",
  state: "M12 20a8 8 0 1 0 0-16 8 8 0 0 0 0 16ZM12 8v4l2.5 2",
  query: "M5 6c0-1.7 3.1-3 7-3s7 1.3 7 3-3.1 3-7 3-7-1.3-7-3ZM5 6v12c0 1.7 3.1 3 7 3s7-1.3 7-3V6M5 12c0 1.7 3.1 3 7 3s7-1.3 7-3",
  user: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8ZM4.5 20.5c1-4 4-6 7.5-6s6.5 2 7.5 6",
  expression: "M8 5c-4 2-4 12 0 14M16 5c4 2 4 12 0 14M10 9l4 6M14 9l-4 6",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14ZM20 20l-4-4",
  play: "M8 5.5v13l10-6.5Z",
  pointer: "M6 4l12 7-5.5 1.5L10 18Z",
  keyboard: "M3 6h18v12H3ZM7 10h.01M11 10h.01M15 10h.01M7 14h10",
  left: "M5 4v16M9 8h10v3H9ZM9 14h6v3H9Z",
  right: "M19 4v16M5 8h10v3H5ZM9 14h6v3H9Z",
  top: "M4 5h16M8 9v10h3V9ZM14 9v6h3V9Z",
  width: "M4 5v14M20 5v14M7 12h10M9.5 9.5 7 12l2.5 2.5M14.5 9.5 17 12l-2.5 2.5",
  row: "M4 8h4v8H4ZM10 8h4v8h-4ZM16 8h4v8h-4Z",
  warning: "M12 4 21 19.5H3ZM12 10v4.5m0 2.6v.1",
  check: "M5 12.5 10 17.5 19 7",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M13 5v4M9 15v4",
}

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (name === "text") element.textContent = value
    else if (name === "value") element.value = value
    else element.setAttribute(name, value === true ? "" : value)
  }
  element.append(...children.flat(Infinity).filter((child) => child != null && child !== false))
  return element
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg")
  const path = document.createElementNS(SVG, "path")
  svg.setAttribute("viewBox", "0 0 24 24")
  svg.setAttribute("class", "icon")
  svg.setAttribute("aria-hidden", "true")
  path.setAttribute("d", ICONS[name] ?? ICONS.more)
  svg.append(path)
  return svg
}

// A drawing that this server gave as text: shapes only, whatever else stands in it.
export function drawing(text) {
  const parsed = new DOMParser().parseFromString(text, "image/svg+xml").documentElement
  if (parsed.nodeName !== "svg") return icon("more")
  const made = document.createElementNS(SVG, "svg")
  copyShapes(parsed, made)
  made.setAttribute("aria-hidden", "true")
  return made
}

const SHAPES = new Set(["path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "g"])

function copyShapes(from, to) {
  for (const { name, value } of from.attributes) {
    if (!/^on|href|style|xmlns/i.test(name)) to.setAttribute(name, value)
  }
  for (const child of from.children) {
    if (!SHAPES.has(child.localName)) continue
    const copy = document.createElementNS(SVG, child.localName)
    copyShapes(child, copy)
    to.append(copy)
  }
}

export function button(label, onclick, { icon: name, kind = "", title, ...rest } = {}) {
  return h("button", { type: "button", class: kind, title, onclick, ...rest }, name && icon(name), label && h("span", { text: label }))
}

export function iconButton(name, label, onclick, rest = {}) {
  return h("button", { type: "button", class: "square quiet", title: label, "aria-label": label, onclick, ...rest }, icon(name))
}

const toasts = h("div", { class: "toasts", role: "status", "aria-live": "polite" })

// A short message at the foot of the window; `actions` are [label, function] pairs.
export function toast(text, { kind = "", actions = [], details = [], seconds = 6 } = {}) {
  if (!toasts.isConnected) document.body.append(toasts)
  const gone = () => message.remove()
  const message = h("div", { class: `note-box ${kind}` }, h("div", { class: "words" }, h("p", { text }),
    details.length ? h("ul", {}, details.slice(0, 5).map((detail) => h("li", { text: detail }))) : null),
  actions.map(([label, act]) => button(label, () => { gone(); act() }, { kind: "link" })),
  iconButton("close", "Close this message", gone))
  toasts.append(message)
  while (toasts.children.length > 4) toasts.firstChild.remove()
  if (seconds) setTimeout(gone, seconds * 1000)
  return gone
}

// A dialog with a heading; `fill(body, close)` puts its content in. Resolves when it is closed.
export function dialog(title, fill, { wide = false } = {}) {
  return new Promise((resolve) => {
    const body = h("div", { class: "body" })
    const box = h("dialog", { class: wide ? "sheet wide" : "sheet", "aria-label": title },
      h("header", {}, h("h2", { text: title }), iconButton("close", "Close", () => box.close())), body)
    let outcome
    const close = (value) => { outcome = value; box.close() }
    box.addEventListener("close", () => { box.remove(); resolve(outcome) })
    box.addEventListener("click", (event) => { if (event.target === box) box.close() })
    document.body.append(box)
    fill(body, close)
    box.showModal()
  })
}

// A small menu or picker beside an element; closes on Escape or a press elsewhere.
export function popover(anchor, fill, { label = "Choose", wide = false } = {}) {
  const box = h("div", { class: wide ? "popover wide" : "popover", role: "dialog", "aria-label": label })
  const close = () => {
    removeEventListener("pointerdown", outside, true)
    placing.disconnect()
    box.remove()
    if (anchor.isConnected) anchor.focus?.({ preventScroll: true })
  }
  const outside = (event) => { if (!box.contains(event.target) && !event.target.closest?.(".popover")) close() }
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { event.stopPropagation(); close() }
  })
  document.querySelectorAll(".popover").forEach((open) => { if (!open.contains(anchor)) open.remove() })
  document.body.append(box)
  fill(box, close)
  // Where the element was: the panel around it may be drawn anew while the picker is open.
  const beside = anchor.getBoundingClientRect()
  const placing = new ResizeObserver(() => place(box, beside))
  placing.observe(box)
  place(box, beside)
  addEventListener("pointerdown", outside, true)
  box.querySelector("input, button, select, textarea")?.focus({ preventScroll: true })
  return close
}

function place(box, beside) {
  const { width, height } = box.getBoundingClientRect()
  const left = Math.min(Math.max(8, beside.right - width), innerWidth - width - 8)
  const below = beside.bottom + 6
  const top = below + height < innerHeight ? below : Math.max(8, innerHeight - height - 8)
  box.style.left = `${left}px`
  box.style.top = `${top}px`
}

// Calls `act` once, `wait` ms after the last call.
export function debounced(act, wait) {
  let timer = null
  const later = (...given) => {
    clearTimeout(timer)
    timer = setTimeout(() => { timer = null; act(...given) }, wait)
  }
  later.flush = (...given) => { if (timer !== null) { clearTimeout(timer); timer = null; act(...given) } }
  later.waiting = () => timer !== null
  return later
}

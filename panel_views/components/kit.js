// What the components share: building DOM from text that is never read as HTML, icons, and the base style.
import { compare, giveBack, idOf, remember } from "./typed.js"

const SVG = "http://www.w3.org/2000/svg"

const ICONS = {
  upload: "M12 15V4m0 0L7.5 8.5M12 4l4.5 4.5M4 15v3a2 2 0 0 0 2 2h12a2 2 0 0 0 2-2v-3",
  image: "M4 6a2 2 0 0 1 2-2h12a2 2 0 0 1 2 2v12a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2Zm0 10 4.5-4.5 4 4 2.5-2.5 5 5M15.5 8.5h.01",
  link: "M10 13.5a4 4 0 0 0 5.7 0l2.8-2.8a4 4 0 0 0-5.7-5.7l-1 1M14 10.5a4 4 0 0 0-5.7 0l-2.8 2.8a4 4 0 0 0 5.7 5.7l1-1",
  close: "M6 6l12 12M18 6 6 18",
  swap: "M4 8h13m0 0-3.5-3.5M17 8l-3.5 3.5M20 16H7m0 0 3.5-3.5M7 16l3.5 3.5",
  download: "M12 4v11m0 0 4.5-4.5M12 15l-4.5-4.5M4 19h16",
  warning: "M12 4 21 19.5H3ZM12 10v4.5m0 2.6v.1",
  info: "M12 11v5m0-8.2v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z",
  check: "M5 12.5 10 17.5 19 7",
  search: "M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13Zm5-1.5L20 20",
  copy: "M9 9h9a2 2 0 0 1 2 2v7a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2Zm0 0V6a2 2 0 0 0-2-2H6a2 2 0 0 0-2 2v7a2 2 0 0 0 2 2h3",
  file: "M13 3H7a2 2 0 0 0-2 2v14a2 2 0 0 0 2 2h10a2 2 0 0 0 2-2V9Zm0 0v6h6",
  camera: "M4 9a2 2 0 0 1 2-2h2l1.5-2h5L16 7h2a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2Zm8 7a3.25 3.25 0 1 0 0-6.5 3.25 3.25 0 0 0 0 6.5Z",
  send: "M5 12h13m0 0-5.5-5.5M18 12l-5.5 5.5",
  left: "M14.5 6 8.5 12l6 6",
  right: "M9.5 6l6 6-6 6",
  up: "M12 19V6m0 0-5 5m5-5 5 5",
  down: "M12 5v13m0 0-5-5m5 5 5-5",
  plus: "M12 5v14M5 12h14",
  minus: "M5 12h14",
  chart: "M4 20h16M7 16v-4m5 4V6m5 10v-7",
  map: "M12 21s7-6.2 7-11.5A7 7 0 0 0 5 9.500C5 14.800 12 21 12 21Zm0-9a2.500 2.500 0 1 0 0-5 2.500 2.500 0 0 0 0 5Z",
  trash: "M5 7h14M10 7V4h4v3m3 0-1 13H8L7 7",
  sound: "M5 10v4h3l4.500 3.500v-11L8 10ZM16 9.500a3.500 3.500 0 0 1 0 5M18.500 7a7 7 0 0 1 0 10",
  film: "M4 6h16v12H4Zm6 3.200v5.600l4.500-2.800Z",
  rows: "M5 5h14v14H5ZM5 10h14M5 14.500h14M10 10v9",
  box: "M5 5h14v14H5Z",
}

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value)
    else if (name === "text") element.textContent = value
    else element.setAttribute(name, value === true ? "" : value)
  }
  element.append(...children.filter((child) => child != null))
  return element
}

export function icon(name) {
  const svg = document.createElementNS(SVG, "svg")
  const path = document.createElementNS(SVG, "path")
  svg.setAttribute("viewBox", "0 0 24 24")
  svg.setAttribute("class", "icon")
  svg.setAttribute("aria-hidden", "true")
  path.setAttribute("d", ICONS[name])
  svg.append(path)
  return svg
}

// Whoever came by a link has no cookie: a ticket goes with the addresses of files on this server.
const TICKET = document.querySelector('meta[name="worklets-ticket"]')?.content
// Where a view is served by `panel serve`, that hands files on to the server below an address of its own.
const FILES = document.querySelector('meta[name="worklets-files"]')?.content

export function withTicket(address) {
  // Its address ends with `files`; those of reviews lie beside them.
  if (FILES && /^\/api\/(files|reviews\/[^/]+\/files)\b/.test(address)) return FILES.slice(0, -"files".length) + address.slice("/api/".length)
  if (!TICKET || !/^\/(api\/files|views\/examples)\b/.test(address)) return address
  return `${address}${address.includes("?") ? "&" : "?"}ticket=${encodeURIComponent(TICKET)}`
}

// Addresses that an <img> or a link may get; everything else shows nothing.
export function safeSource(address) {
  const safe = typeof address === "string" && /^(\/(?!\/)|data:image\/(png|jpeg|webp|gif);|blob:)/.test(address)
  return safe ? withTicket(address) : null
}

export function bytes(count) {
  return count >= 1e6 ? `${+(count / 1e6).toFixed(1)} MB` : `${Math.max(1, Math.round(count / 1e3))} kB`
}

// Colours of the page as a canvas takes them: a custom property's text may hold functions that only CSS knows.
export function colours(root, names) {
  const probe = h("span", { hidden: true })
  root.append(probe)
  const found = names.map((name) => {
    probe.style.color = `var(--${name})`
    return [name, getComputedStyle(probe).color]
  })
  probe.remove()
  return Object.fromEntries(found)
}

// Whether the page is dark just now.
export function isDark(root) {
  const parts = (colours(root, ["surface"]).surface.match(/[\d.]+/g) ?? ["255"]).slice(0, 3).map(Number)
  return Math.max(...parts) < 128
}

// Calls `paint` when the page turns light or dark.
export function onMode(paint) {
  new MutationObserver(paint).observe(document.documentElement, { attributeFilter: ["data-mode"] })
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint)
}

// Whether this is the builder's preview, where all that can be edited is to be seen.
export const EDITED = location.pathname.startsWith("/views/~")

let lastId = 0
export function freshId(prefix) {
  lastId += 1
  return `${prefix}-${lastId}`
}

function sheet(css) {
  const made = new CSSStyleSheet()
  made.replaceSync(css)
  return made
}

const BASE = sheet(`
  :host { display: block; box-sizing: border-box; width: 100%; height: 100%; min-width: 0; color: var(--ink);
    font: 400 15px/1.5 var(--font); -webkit-font-smoothing: antialiased; }
  *, *::before, *::after { box-sizing: border-box; }
  :host > div { height: 100%; min-width: 0; }
  button, input, select, textarea { font: inherit; color: inherit; }
  button { cursor: pointer; }
  [hidden] { display: none !important; }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
  .icon { width: 1.25em; height: 1.25em; fill: none; stroke: currentColor; stroke-width: 1.75; stroke-linecap: round;
    stroke-linejoin: round; flex: none; }
  .label { font-weight: 550; font-size: 14px; line-height: 20px; }
  .help { color: var(--muted); font-size: 13px; line-height: 18px; }
  .fault { display: flex; gap: 6px; color: var(--danger); font-size: 13px; line-height: 18px; overflow-wrap: anywhere; }
  .complaint { padding-top: 6px; } .complaint[hidden] { display: none; }
  .fault .icon { width: 16px; height: 16px; margin-top: 1px; }
  @keyframes shimmer { from { background-position: 130% 0 } to { background-position: -130% 0 } }
  @media (prefers-reduced-motion: reduce) { *, *::before, *::after { animation-duration: 0s !important; transition: none !important; } }
`)

// A component: `build({root, model, send, emit, ask, listen})` makes the DOM once and returns `update(props, status)`.
export function component(css, build) {
  const own = sheet(css)
  return {
    render({ model, el }) {
      const shadow = el.getRootNode()
      shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, BASE, own]
      let id = null // the element is not yet in the page as it is made
      const send = (name, data) => {
        id ??= idOf(el)
        remember(id, name, data, model.props)
        model.send_msg({ value: name, data })
      }
      const update = build({
        root: el,
        model,
        send,
        emit: (name, data) => model.send_msg({ event: name, data }),
        ask: (name, data) => model.send_msg({ ask: name, data }),
        listen: (told) => model.on("msg:custom", told),
      })
      // What a step of an event came to, of kinds that are no fields and so have no place of their own for it.
      const complaint = h("div", { class: "fault complaint", role: "alert", hidden: true })
      el.append(complaint)
      const refresh = () => {
        compare(id, model.props)
        update(model.props, model.status)
        complaint.textContent = model.props.complaint ?? ""
        complaint.hidden = !model.props.complaint
      }
      model.on("props", refresh)
      model.on("status", refresh)
      refresh()
      if (!EDITED) giveBack(el, send)
    },
  }
}

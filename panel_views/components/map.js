// Places and shapes on the outline of the world, drawn on a canvas: longitude and latitude are the picture's x and y.
import { colours, component, h, icon, isDark, onMode } from "./kit.js"
import { NOTES_CSS, noted } from "./notes.js"
import { LAND } from "./world.js"

const PALETTE = { light: ["#3457d5", "#d1693a", "#2c8a65", "#8f4bb5", "#b8901c", "#c23d66"], dark: ["#86a1f5", "#eb9a6d", "#6cc7a0", "#c194e0", "#dcbb5c", "#ec85a6"] }
const NEAR = 12 // pixels within which a press means a place

export default component(NOTES_CSS + `
  .frame { display: flex; flex-direction: column; height: 100%; min-height: 240px; gap: 6px; } .sheet { position: relative; flex: 1; min-height: 0; border: 1px solid var(--line); border-radius: 12px; overflow: hidden; background: var(--sunken); }
  canvas { position: absolute; inset: 0; width: 100%; height: 100%; touch-action: none; cursor: grab; border-radius: 12px; } canvas.over { cursor: pointer; } canvas:active { cursor: grabbing; } canvas:focus-visible { outline-offset: -2px; }
  .zoom { position: absolute; right: 10px; top: 10px; display: flex; flex-direction: column; border: 1px solid var(--line-strong); border-radius: 9px; overflow: hidden; background: var(--surface); }
  .zoom button { display: grid; place-items: center; width: 32px; height: 32px; padding: 0; border: 0; background: none; } .zoom button + button { border-top: 1px solid var(--line); } .zoom button:hover { background: var(--sunken); } .zoom .icon { width: 16px; height: 16px; }
  .tip { position: absolute; max-width: 240px; padding: 5px 9px; border-radius: 8px; background: var(--ink); color: var(--ground); font-size: 13px; line-height: 18px; pointer-events: none; overflow-wrap: anywhere; transform: translate(-50%, calc(-100% - 12px)); }
  .legend { display: flex; flex-wrap: wrap; gap: 4px 14px; color: var(--muted); font-size: 13px; } .legend span { display: inline-flex; align-items: center; gap: 6px; } .legend i { width: 9px; height: 9px; border-radius: 50%; }
`, ({ root, emit }) => {
  let props = { places: [], shapes: [] }
  let view = null // { x, y: the middle, in degrees; scale: pixels a degree }
  let shown = ""
  let groups = []
  const label = h("div", { class: "label" })
  const help = h("div", { class: "help" })
  const canvas = h("canvas", { tabindex: "0", role: "application" })
  const tip = h("div", { class: "tip", role: "status", hidden: true })
  const legend = h("div", { class: "legend" })
  const remark = h("div", { class: "help" })
  const zoom = h("div", { class: "zoom" }, h("button", { type: "button", "aria-label": "Closer", onclick: () => scaled(1.6) }, icon("plus")),
    h("button", { type: "button", "aria-label": "Further away", onclick: () => scaled(1 / 1.6) }, icon("minus")))
  const sheet = h("div", { class: "sheet" }, canvas, zoom, tip)
  const { note, tell } = noted("map")
  root.append(h("div", { class: "frame" }, label, help, sheet, note, legend, remark))

  const size = () => [canvas.clientWidth, canvas.clientHeight]
  const least = () => Math.max(size()[0] / 360, size()[1] / 180)
  const toX = (longitude) => size()[0] / 2 + (longitude - view.x) * view.scale
  const toY = (latitude) => size()[1] / 2 - (latitude - view.y) * view.scale

  function settle() {
    const [width, height] = size()
    view.scale = Math.min(4000, Math.max(least(), view.scale))
    const halfX = width / 2 / view.scale
    const halfY = height / 2 / view.scale
    view.x = Math.min(180 - halfX, Math.max(halfX - 180, view.x))
    view.y = Math.min(90 - halfY, Math.max(halfY - 90, view.y))
    paint()
  }

  function scaled(by, at = [size()[0] / 2, size()[1] / 2]) {
    if (!view) return
    const [width, height] = size()
    const before = [view.x + (at[0] - width / 2) / view.scale, view.y - (at[1] - height / 2) / view.scale]
    view.scale = Math.min(4000, Math.max(least(), view.scale * by))
    view.x = before[0] - (at[0] - width / 2) / view.scale
    view.y = before[1] + (at[1] - height / 2) / view.scale
    settle()
  }

  function fit() {
    const points = [...props.places.map((place) => place.at), ...props.shapes.flatMap((shape) => shape.points)]
    const [width, height] = size()
    if (!width || !height) return
    const bounds = (axis) => points.length ? [Math.min(...points.map((point) => point[axis])), Math.max(...points.map((point) => point[axis]))] : [[-180, 180], [-90, 90]][axis]
    const [west, east] = bounds(0)
    const [south, north] = bounds(1)
    view = { x: (west + east) / 2, y: (south + north) / 2, scale: Math.min(width / Math.max(8, (east - west) * 1.3), height / Math.max(6, (north - south) * 1.4)) }
    settle()
  }

  function trace(pen, points, closed) {
    pen.beginPath()
    points.forEach(([longitude, latitude], n) => pen[n ? "lineTo" : "moveTo"](toX(longitude), toY(latitude)))
    if (closed) pen.closePath()
  }

  function paint() {
    const [width, height] = size()
    if (!view || !width || !height) return
    const sharp = Math.min(devicePixelRatio || 1, 2)
    canvas.width = width * sharp
    canvas.height = height * sharp
    const pen = canvas.getContext("2d")
    pen.scale(sharp, sharp)
    const dark = isDark(root)
    const ink = colours(root, ["ink", "muted", "line", "surface", "sunken", "accent", "track"])
    const palette = [ink.accent, ...PALETTE[dark ? "dark" : "light"].slice(1)]
    pen.fillStyle = dark ? "#16191f" : "#e9eef4"
    pen.fillRect(0, 0, width, height)
    pen.beginPath()
    for (const ring of LAND) {
      for (let n = 0; n < ring.length; n += 2) pen[n ? "lineTo" : "moveTo"](toX(ring[n]), toY(ring[n + 1]))
      pen.closePath()
    }
    pen.fillStyle = ink.surface
    pen.fill("evenodd")
    pen.lineWidth = 1
    pen.strokeStyle = ink.track
    pen.stroke()
    const step = [30, 15, 10, 5, 2, 1].find((degrees) => width / view.scale / degrees >= 4) ?? 0.5
    pen.strokeStyle = dark ? "rgb(255 255 255 / .06)" : "rgb(20 30 60 / .07)"
    pen.beginPath()
    for (let at = -180; at <= 180; at += step) { pen.moveTo(toX(at), toY(-90)); pen.lineTo(toX(at), toY(90)) }
    for (let at = -90; at <= 90; at += step) { pen.moveTo(toX(-180), toY(at)); pen.lineTo(toX(180), toY(at)) }
    pen.stroke()
    pen.lineWidth = 2
    pen.strokeStyle = pen.fillStyle = ink.accent
    for (const shape of props.shapes) {
      trace(pen, shape.points, shape.closed)
      pen.globalAlpha = 0.14
      if (shape.closed) pen.fill()
      pen.globalAlpha = 1
      pen.stroke()
    }
    pen.lineWidth = 1.5
    for (const place of props.places) {
      pen.beginPath()
      pen.arc(toX(place.at[0]), toY(place.at[1]), 5.5, 0, 7)
      pen.fillStyle = palette[Math.max(0, groups.indexOf(place.group)) % palette.length]
      pen.fill()
      pen.strokeStyle = ink.surface
      pen.stroke()
    }
    legend.replaceChildren(...(groups.length > 1 ? groups.slice(0, 12).map((group, n) => {
      const dot = h("i")
      dot.style.background = palette[n % palette.length]
      return h("span", {}, dot, h("span", { text: group || "–" }))
    }) : []))
    legend.hidden = groups.length < 2
  }

  function placeAt(x, y) {
    let best = null
    let nearest = NEAR
    for (const place of props.places) {
      const distance = Math.hypot(toX(place.at[0]) - x, toY(place.at[1]) - y)
      if (distance <= nearest) { nearest = distance; best = place }
    }
    return best
  }

  function point(event) {
    const box = canvas.getBoundingClientRect()
    return [event.clientX - box.left, event.clientY - box.top]
  }

  function hint(place) {
    const words = place && (place.text || `${place.at[1]}, ${place.at[0]}`)
    tip.hidden = !place
    canvas.classList.toggle("over", Boolean(place))
    if (!place) return
    tip.textContent = words
    tip.style.left = `${toX(place.at[0])}px`
    tip.style.top = `${Math.max(34, toY(place.at[1]))}px`
  }

  let drag = null
  canvas.addEventListener("pointerdown", (event) => { drag = { at: point(event), from: { ...view }, moved: false }; canvas.setPointerCapture(event.pointerId) })
  canvas.addEventListener("pointermove", (event) => {
    const [x, y] = point(event)
    if (!drag) return hint(placeAt(x, y))
    const [dx, dy] = [x - drag.at[0], y - drag.at[1]]
    if (Math.hypot(dx, dy) < 4 && !drag.moved) return
    drag.moved = true
    hint(null)
    view = { ...view, x: drag.from.x - dx / view.scale, y: drag.from.y + dy / view.scale }
    settle()
  })
  canvas.addEventListener("pointerup", (event) => {
    const place = drag && !drag.moved ? placeAt(...point(event)) : null
    drag = null
    if (place) { hint(place); emit("pick", place.n) }
  })
  canvas.addEventListener("pointercancel", () => { drag = null })
  canvas.addEventListener("pointerleave", () => hint(null))
  canvas.addEventListener("wheel", (event) => { event.preventDefault(); hint(null); scaled(Math.exp(-event.deltaY * 0.0016), point(event)) }, { passive: false })
  let chosen = -1
  canvas.addEventListener("keydown", (event) => {
    const step = 60 / (view?.scale ?? 1)
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, step], ArrowDown: [0, -step] }
    if (event.key === "+" || event.key === "=") scaled(1.4)
    else if (event.key === "-") scaled(1 / 1.4)
    else if (moves[event.key]) { view.x += moves[event.key][0]; view.y += moves[event.key][1]; settle() }
    else if ((event.key === "n" || event.key === "p") && props.places.length) {
      // From place to place without a mouse.
      chosen = (chosen + (event.key === "n" ? 1 : -1) + props.places.length) % props.places.length
      Object.assign(view, { x: props.places[chosen].at[0], y: props.places[chosen].at[1] })
      settle()
      hint(props.places[chosen])
    } else if (event.key === "Enter" && props.places[chosen]) emit("pick", props.places[chosen].n)
    else return
    event.preventDefault()
  })
  new ResizeObserver(() => { if (!view) fit(); else settle() }).observe(sheet)
  onMode(paint)
  return (next, status) => {
    props = next
    label.textContent = props.label
    label.hidden = !props.label
    help.textContent = props.help
    help.hidden = !props.help
    remark.textContent = props.note
    remark.hidden = !props.note
    canvas.setAttribute("aria-label", `${props.label || "Map"}: ${props.places.length} places. N and P go from place to place, Enter picks one, arrows and plus and minus move the map.`)
    groups = [...new Set(props.places.map((place) => place.group))]
    const filled = props.places.length > 0 || props.shapes.length > 0
    const stage = status.rows === "error" || status.geojson === "error" ? "error" : status.rows ?? status.geojson
    sheet.hidden = tell({ status: stage, fault: props.fault, filled, empty: props.empty })
    const now = JSON.stringify([props.places, props.shapes])
    if (now !== shown) { shown = now; chosen = -1; view = null; fit() } else paint()
  }
})

// Marks on a picture: boxes by dragging, points by pressing, labels for the whole. Places are shares of the picture.
import { field } from "./field.js"
import { h, icon, safeSource } from "./kit.js"
import { NOTES_CSS, noted } from "./notes.js"

const SVG = "http://www.w3.org/2000/svg"
const COLOURS = ["#3b6cff", "#ff7a3d", "#18b07b", "#b05cf0", "#e8b51f", "#f0457d", "#23b5d3", "#8c96a8"]
const NAMES = { box: "Box", point: "Point", label: "Whole picture" }
const SMALLEST = 0.005 // a drag of less is a slip

function svg(tag, attributes) {
  const element = document.createElementNS(SVG, tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  return element
}

const clamp = (value) => Math.min(1, Math.max(0, value))
const rounded = (mark) => ({ ...mark, ...Object.fromEntries(["x", "y", "w", "h"].map((name) => [name, Math.round(mark[name] * 1e5) / 1e5])) })

export default field(NOTES_CSS + `
  .bar { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; margin: 4px 0 10px; } .set { display: inline-flex; flex-wrap: wrap; gap: 4px; }
  .set button { display: inline-flex; align-items: center; gap: 6px; min-height: 32px; padding: 0 10px; border: 1px solid var(--line-strong); border-radius: 8px; background: var(--surface); font-size: 13px; } .set button:hover { background: var(--sunken); }
  .set [aria-pressed="true"] { border-color: var(--accent); background: var(--accent-soft); font-weight: 550; } .set i { width: 9px; height: 9px; border-radius: 3px; } .set kbd { color: var(--muted); font: 11px var(--font); } .set .icon { width: 15px; height: 15px; }
  .stage { position: relative; display: grid; place-items: center; flex: 1; min-height: 200px; border-radius: 12px; overflow: hidden; background: var(--sunken); border: 1px solid var(--line); }
  .sheet { position: absolute; touch-action: none; cursor: crosshair; } .sheet:focus-visible { outline-offset: 2px; } img { display: block; width: 100%; height: 100%; user-select: none; -webkit-user-drag: none; pointer-events: none; }
  svg.marks { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; } .tags { position: absolute; inset: 0; pointer-events: none; }
  .tag { position: absolute; max-width: 60%; padding: 1px 6px; border-radius: 5px; color: #fff; font-size: 11px; line-height: 16px; font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; text-shadow: 0 0 2px rgb(0 0 0 / .5); transform: translateY(-100%); }
  .tally { margin-top: 6px; color: var(--muted); font-size: 13px; }
`, ({ slot, send }) => {
  let props = null
  let marks = []
  let tool = null
  let label = ""
  let chosen = -1
  let drag = null
  const tools = h("div", { class: "set", role: "group", "aria-label": "Tool" })
  const labels = h("div", { class: "set", role: "group", "aria-label": "Label" })
  const remove = h("button", { type: "button", onclick: erase }, icon("trash"), h("span", { text: "Delete" }))
  const picture = h("img", { alt: "" })
  const layer = svg("svg", { class: "marks", preserveAspectRatio: "none", viewBox: "0 0 1 1" })
  const tags = h("div", { class: "tags" })
  const sheet = h("div", { class: "sheet", tabindex: "0", role: "application" }, picture, layer, tags)
  const { note, tell } = noted("image")
  const stage = h("div", { class: "stage" }, sheet)
  const tally = h("div", { class: "tally", "aria-live": "polite" })
  slot.append(h("div", { class: "bar" }, tools, labels, h("div", { class: "set" }, remove)), stage, note, tally)

  const colour = (name) => COLOURS[Math.max(0, props.labels.indexOf(name)) % COLOURS.length]
  const whole = () => marks.filter((mark) => mark.kind === "label").map((mark) => mark.label)

  function give(next, choose = -1) {
    marks = next.map(rounded)
    chosen = choose
    send("value", marks)
    paint()
  }
  function erase() { if (chosen >= 0) give(marks.filter((_, n) => n !== chosen)) }

  function place() {
    const [width, height] = [stage.clientWidth, stage.clientHeight]
    if (!picture.naturalWidth || !width) return
    const scale = Math.min(width / picture.naturalWidth, height / picture.naturalHeight)
    Object.assign(sheet.style, { width: `${picture.naturalWidth * scale}px`, height: `${picture.naturalHeight * scale}px` })
  }

  function paint() {
    const drawn = []
    const named = []
    const live = drag?.mark ? [...marks, drag.mark] : marks
    live.forEach((mark, n) => {
      if (mark.kind === "label") return
      const paint = colour(mark.label)
      const mine = n === chosen
      const common = { stroke: paint, "stroke-width": mine ? 3 : 2, "vector-effect": "non-scaling-stroke", fill: paint, "fill-opacity": mine ? 0.28 : 0.12 }
      if (mark.kind === "box") drawn.push(svg("rect", { ...common, x: mark.x, y: mark.y, width: mark.w, height: mark.h }))
      else {
        // A line without length and with round ends is a dot that keeps its size.
        const dot = { d: `M${mark.x} ${mark.y}h0.00001`, "stroke-linecap": "round", "vector-effect": "non-scaling-stroke" }
        drawn.push(svg("path", { ...dot, stroke: "#fff", "stroke-width": mine ? 18 : 14 }), svg("path", { ...dot, stroke: paint, "stroke-width": mine ? 13 : 9 }))
      }
      if (!mark.label) return
      const tag = h("span", { class: "tag", text: mark.label })
      Object.assign(tag.style, { left: `${mark.x * 100}%`, top: `${Math.max(mark.y, 0.05) * 100}%`, background: paint, marginTop: mark.kind === "point" ? "-9px" : "0" })
      named.push(tag)
    })
    layer.replaceChildren(...drawn)
    tags.replaceChildren(...named)
    remove.disabled = chosen < 0
    remove.hidden = !marks.some((mark) => mark.kind !== "label")
    const said = whole()
    tally.textContent = [`${marks.length} ${marks.length === 1 ? "mark" : "marks"}`, said.length ? `the picture: ${said.join(", ")}` : ""].filter(Boolean).join(" · ")
    tools.replaceChildren(...(props.tools.length > 1 ? props.tools.map((name) => h("button", { type: "button", "aria-pressed": String(name === tool), onclick: () => { tool = name; paint() } }, h("span", { text: NAMES[name] }))) : []))
    labels.replaceChildren(...props.labels.map((name, n) => {
      const dot = h("i")
      dot.style.background = colour(name)
      const pressed = tool === "label" ? said.includes(name) : name === label
      return h("button", { type: "button", "aria-pressed": String(pressed), onclick: () => call(name) }, dot, h("span", { text: name }), n < 9 ? h("kbd", { text: String(n + 1) }) : null)
    }))
  }

  function call(name) {
    label = name
    if (tool === "label") {
      const rest = marks.filter((mark) => mark.kind !== "label" || mark.label !== name)
      return give(rest.length < marks.length ? rest : [...marks, { kind: "label", label: name, x: 0, y: 0, w: 0, h: 0 }])
    }
    if (chosen >= 0) return give(marks.map((mark, n) => n === chosen ? { ...mark, label: name } : mark), chosen)
    paint()
  }

  function share(event) {
    const box = sheet.getBoundingClientRect()
    return [clamp((event.clientX - box.left) / box.width), clamp((event.clientY - box.top) / box.height)]
  }
  function markAt(x, y) {
    const [near, far] = [14 / sheet.clientWidth, 14 / sheet.clientHeight]
    return marks.findLastIndex((mark) => mark.kind === "point" ? Math.abs(mark.x - x) < near && Math.abs(mark.y - y) < far
      : mark.kind === "box" && x >= mark.x && x <= mark.x + mark.w && y >= mark.y && y <= mark.y + mark.h)
  }

  sheet.addEventListener("pointerdown", (event) => {
    if (props.disabled) return
    const [x, y] = share(event)
    sheet.setPointerCapture(event.pointerId)
    const held = markAt(x, y)
    drag = { x, y, held, from: held >= 0 ? { ...marks[held] } : null, mark: null, moved: false }
    if (held >= 0) { chosen = held; paint() }
  })
  sheet.addEventListener("pointermove", (event) => {
    if (!drag) return
    const [x, y] = share(event)
    drag.moved ||= Math.hypot(x - drag.x, y - drag.y) > 0.01
    if (!drag.moved) return
    if (drag.from) {
      const { from } = drag
      marks = marks.map((mark, n) => n === drag.held ? { ...mark, x: Math.min(1 - from.w, Math.max(0, from.x + x - drag.x)), y: Math.min(1 - from.h, Math.max(0, from.y + y - drag.y)) } : mark)
    } else if (tool === "box") {
      drag.mark = { kind: "box", label, x: Math.min(x, drag.x), y: Math.min(y, drag.y), w: Math.abs(x - drag.x), h: Math.abs(y - drag.y) }
    }
    paint()
  })
  sheet.addEventListener("pointerup", () => {
    if (!drag) return
    const done = drag
    drag = null
    if (done.from) return done.moved ? give(marks, done.held) : paint()
    if (tool === "point") return give([...marks, { kind: "point", label, x: done.x, y: done.y, w: 0, h: 0 }], marks.length)
    if (done.mark && done.mark.w > SMALLEST && done.mark.h > SMALLEST) return give([...marks, done.mark], marks.length)
    chosen = -1
    paint()
  })
  sheet.addEventListener("pointercancel", () => { drag = null; paint() })
  sheet.addEventListener("keydown", (event) => {
    if (props.disabled) return
    const number = Number(event.key)
    const step = event.shiftKey ? 0.05 : 0.01
    const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] }
    if (number >= 1 && props.labels[number - 1] !== undefined) call(props.labels[number - 1])
    else if (event.key === "Delete" || event.key === "Backspace") erase()
    else if (event.key === "Escape") { chosen = -1; paint() }
    else if (event.key === "n" && marks.length) { chosen = (chosen + 1) % marks.length; paint() }
    else if (event.key === "Enter" && tool !== "label") {
      // Without a mouse: a mark in the middle, which the arrows move.
      const middle = tool === "box" ? { kind: "box", x: 0.4, y: 0.4, w: 0.2, h: 0.2 } : { kind: "point", x: 0.5, y: 0.5, w: 0, h: 0 }
      give([...marks, { ...middle, label }], marks.length)
    } else if (moves[event.key] && chosen >= 0) {
      const [dx, dy] = moves[event.key]
      give(marks.map((mark, n) => n === chosen ? { ...mark, x: Math.min(1 - mark.w, Math.max(0, mark.x + dx)), y: Math.min(1 - mark.h, Math.max(0, mark.y + dy)) } : mark), chosen)
    } else return
    event.preventDefault()
  })
  picture.addEventListener("load", place)
  new ResizeObserver(place).observe(stage)
  return (next, status) => {
    const fresh = props?.source !== next.source
    props = next
    const source = safeSource(props.source)
    if (fresh) { chosen = -1; if (source) picture.src = source; else picture.removeAttribute("src") }
    if (!drag) marks = props.value ?? []
    if (chosen >= marks.length) chosen = -1
    if (!props.tools.includes(tool)) tool = props.tools[0]
    if (props.labels.length && !props.labels.includes(label)) label = props.labels[0]
    sheet.setAttribute("aria-label", `${props.label}: drag a box or press a point. Enter sets a mark, N goes to the next, arrows move it, numbers name it, Delete removes it.`)
    stage.hidden = tell({ status: status.source, fault: props.fault, filled: Boolean(source), empty: props.empty })
    paint()
  }
}, { group: true, fill: true })

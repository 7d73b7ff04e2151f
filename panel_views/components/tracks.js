// The grid inside a page or a container: twelve columns that become one where there is no room.
import { EDITED, h } from "./kit.js"

export const TRACKS_CSS = `
  :host { container-type: inline-size; }
  .tracks { display: grid; grid-template-columns: repeat(12, minmax(0, 1fr)); column-gap: var(--gap); }
  .cell { grid-column: calc(var(--x) + 1) / span var(--w); grid-row: calc(var(--y) + 1) / span var(--h); min-width: 0;
    min-height: calc(var(--h) * var(--unit)); padding-bottom: var(--gap); display: grid; }
  .cell.bounded { height: calc(var(--h) * var(--unit)); grid-template-rows: minmax(0, 1fr); } .cell.fits { min-height: 0; } .cell.alert, .cell.modal { min-height: 0; padding-bottom: 0; }
  .tracks > .cell.away { display: none; }
  @container (max-width: 719px) {
    .page > .tracks > .cell { grid-column: 1 / -1; grid-row: auto; min-height: 0; }
    .cell.bounded { height: auto; max-height: 85vh; } .cell.bounded:is(.pdf, .chat, .log) { height: min(calc(var(--h) * var(--unit)), 80vh); }
  }
  @container (max-width: 420px) {
    .inner > .tracks > .cell { grid-column: 1 / -1; grid-row: auto; min-height: 0; }
    .inner > .tracks > .cell.half { grid-column: span 6; }
  }
  @container (max-width: 260px) { .inner > .tracks > .cell.half { grid-column: 1 / -1; } }
  @media (max-width: 719px) { .inner > .tracks { column-gap: 12px; } }
`
// Kinds that take the height of what they show, instead of at least the height of their place.
const FITS = new Set(["text", "markdown", "button", "slider", "number", "progress", "gallery", "text_input", "text_area", "dropdown",
  "checkbox", "radio", "date", "divider", "audio", "container", "form", "tabs"])
// Kinds that scroll inside of their place: what they hold may be of any length.
const BOUNDED = new Set(["pdf", "log", "chat", "json", "code", "table"])
// Kinds that may stand two in a row on a phone.
const NARROW = new Set(["text", "button", "slider", "number", "image_input", "dropdown", "date", "checkbox", "metric", "text_input"])

export function tracks(model) {
  const grid = h("div", { class: "tracks" })
  const children = model.get_child("objects")
  model.cells.forEach((cell, index) => {
    const classes = ["cell", cell.type, cell.w <= 6 && NARROW.has(cell.type) ? "half" : "", FITS.has(cell.type) ? "fits" : "", BOUNDED.has(cell.type) ? "bounded" : ""]
    const box = h("div", { class: classes.join(" "), "data-component": cell.id }, children[index])
    for (const side of ["x", "y", "w", "h"]) box.style.setProperty(`--${side}`, cell[side])
    grid.append(box)
  })
  // What a condition hides takes no place. In the builder it is there, to be worked on.
  const settle = () => model.cells.forEach((cell, index) => { grid.children[index]?.classList.toggle("away", !!cell.hidden && !EDITED) })
  settle()
  model.on("cells", settle)
  return grid
}

// A title and a description, which are hidden where there are none.
export function heading() {
  const title = h("h2")
  const words = h("p")
  const head = h("header", {}, title, words)
  const name = (props) => {
    title.textContent = props.title ?? ""
    words.textContent = props.description ?? ""
    title.hidden = !props.title
    words.hidden = !props.description
    head.hidden = !props.title && !props.description
  }
  return { head, name }
}

export const HEADING_CSS = `
  header { margin-bottom: 16px; } h2 { margin: 0; font-size: 17px; line-height: 24px; font-weight: 600; letter-spacing: -0.01em; overflow-wrap: anywhere; }
  header p { margin: 2px 0 0; color: var(--muted); font-size: 14px; line-height: 20px; overflow-wrap: anywhere; }
`
// A surface ends where its grid's last gap would begin.
export const SURFACE_CSS = HEADING_CSS + `
  .surface { height: 100%; display: flex; flex-direction: column; padding: 24px 24px calc(24px - var(--gap)); background: var(--surface);
    border: 1px solid var(--line); border-radius: var(--radius); box-shadow: var(--shadow); }
  .surface > .tracks { flex: 1; }
  @media (max-width: 719px) { .surface { padding: 16px 16px calc(16px - var(--gap)); } }
`

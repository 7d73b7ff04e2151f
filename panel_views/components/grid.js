// The page, or a card on it: a grid of twelve columns that becomes one column where there is no room.
import { h } from "./kit.js"

const own = new CSSStyleSheet()
own.replaceSync(`
  :host { display: block; box-sizing: border-box; width: 100%; height: 100%; min-width: 0; color: var(--ink);
    font: 400 15px/1.5 var(--font); container-type: inline-size; }
  *, *::before, *::after { box-sizing: border-box; }
  [hidden] { display: none; }
  :host > div { height: 100%; }
  .surface.card { height: 100%; display: flex; flex-direction: column; padding: 24px 24px calc(24px - var(--gap)); background: var(--surface);
    border: 1px solid var(--line); border-radius: var(--radius); box-shadow: var(--shadow); }
  header { margin-bottom: 16px; }
  h2 { margin: 0; font-size: 17px; line-height: 24px; font-weight: 600; letter-spacing: -0.01em; }
  header p { margin: 2px 0 0; color: var(--muted); font-size: 14px; line-height: 20px; }
  .card > .tracks { flex: 1; }
  .tracks { display: grid; grid-template-columns: repeat(12, minmax(0, 1fr)); column-gap: var(--gap); }
  .cell { grid-column: calc(var(--x) + 1) / span var(--w); grid-row: calc(var(--y) + 1) / span var(--h); min-width: 0;
    min-height: calc(var(--h) * var(--unit)); padding-bottom: var(--gap); display: grid; }
  .cell.fits { min-height: 0; }
  .cell.alert { min-height: 0; padding-bottom: 0; }
  @container (max-width: 719px) {
    .page > .tracks > .cell { grid-column: 1 / -1; grid-row: auto; min-height: 0; }
  }
  @container (max-width: 420px) {
    .card > .tracks > .cell { grid-column: 1 / -1; grid-row: auto; min-height: 0; }
    .card > .tracks > .cell.half { grid-column: span 6; }
  }
  @container (max-width: 260px) { .card > .tracks > .cell.half { grid-column: 1 / -1; } }
  @media (max-width: 719px) {
    .surface.card { padding: 16px 16px calc(16px - var(--gap)); }
    .card > .tracks { column-gap: 12px; }
  }
`)

// Kinds that take the height of what they show, instead of at least the height of their place.
const FITS = new Set(["text", "markdown", "button", "slider", "number", "progress", "gallery", "text_input", "text_area", "dropdown",
  "checkbox", "radio", "date", "divider"])

// Kinds that may stand two in a row on a phone.
const NARROW = new Set(["text", "button", "slider", "number", "image_input", "dropdown", "date", "checkbox", "metric", "text_input"])

export default {
  render({ model, el }) {
    const shadow = el.getRootNode()
    shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, own]
    const grid = h("div", { class: "tracks" })
    const children = model.get_child("objects")
    model.cells.forEach((cell, index) => {
      const classes = ["cell", cell.type, cell.w <= 6 && NARROW.has(cell.type) ? "half" : "", FITS.has(cell.type) ? "fits" : ""]
      const box = h("div", { class: classes.join(" "), "data-component": cell.id }, children[index])
      for (const side of ["x", "y", "w", "h"]) box.style.setProperty(`--${side}`, cell[side])
      grid.append(box)
    })
    const heading = h("h2")
    const words = h("p")
    const head = h("header", {}, heading, words)
    const name = () => {
      const { title, description } = model.props
      heading.textContent = title ?? ""
      words.textContent = description ?? ""
      heading.hidden = !title
      words.hidden = !description
      head.hidden = !title && !description
    }
    model.on("props", name)
    name()
    return h(model.props.kind === "card" ? "section" : "div", { class: `surface ${model.props.kind}` }, head, grid)
  },
}

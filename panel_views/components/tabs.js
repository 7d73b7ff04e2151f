// Each component inside is a tab. Those that are not shown keep what was typed into them.
import { component, EDITED, freshId, h } from "./kit.js"
import { tracks, TRACKS_CSS } from "./tracks.js"

export default component(TRACKS_CSS + `
  .bar { display: flex; gap: 4px; overflow-x: auto; margin-bottom: 20px; border-bottom: 1px solid var(--line); scrollbar-width: none; }
  .bar button { position: relative; padding: 10px 14px; border: 0; background: none; color: var(--muted); font-weight: 550; font-size: 15px; white-space: nowrap; border-radius: 8px 8px 0 0; }
  .bar button:hover { color: var(--ink); } .bar button:focus-visible { outline-offset: -2px; } .bar [aria-selected="true"] { color: var(--ink); }
  .bar [aria-selected="true"]::after { content: ""; position: absolute; left: 14px; right: 14px; bottom: -1px; height: 2px; border-radius: 1px; background: var(--accent); }
  .tracks { margin-bottom: calc(-1 * var(--gap)); } .tracks > .cell { grid-column: 1 / -1 !important; grid-row: auto !important; } .tracks > .cell[hidden] { display: none; }
`, ({ root, model, send }) => {
  const prefix = freshId("tab")
  const bar = h("div", { class: "bar", role: "tablist" })
  const grid = tracks(model)
  const panels = [...grid.children]
  let shown = ""
  let buttons = []
  root.append(h("div", { class: "inner" }, bar, grid))
  panels.forEach((panel, n) => {
    panel.setAttribute("role", "tabpanel")
    panel.id = `${prefix}-panel-${n}`
    panel.setAttribute("aria-labelledby", `${prefix}-${n}`)
  })
  const show = (chosen) => {
    buttons.forEach((button, n) => {
      const mine = n === chosen
      button.setAttribute("aria-selected", String(mine))
      button.tabIndex = mine ? 0 : -1
      panels[n].hidden = !mine && !EDITED
    })
  }
  const press = (n) => { show(n); send("value", model.props.tabs[n].id) }
  bar.addEventListener("keydown", (event) => {
    const at = buttons.indexOf(event.target)
    const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: buttons.length - 1 }[event.key]
    if (to === undefined || at < 0) return
    event.preventDefault()
    const next = (to + buttons.length) % buttons.length
    buttons[next].focus()
    press(next)
  })
  const settle = () => model.cells.forEach((cell, n) => { if (buttons[n]) buttons[n].hidden = !!cell.hidden && !EDITED })
  model.on("cells", settle)
  return (props) => {
    const titles = JSON.stringify(props.tabs)
    if (titles !== shown) {
      shown = titles
      buttons = props.tabs.map((tab, n) => h("button", { type: "button", role: "tab", id: `${prefix}-${n}`, "aria-controls": `${prefix}-panel-${n}`, text: tab.title, onclick: () => press(n) }))
      bar.replaceChildren(...buttons)
      bar.setAttribute("aria-label", props.label || "Tabs")
      settle()
    }
    show(Math.max(0, props.tabs.findIndex((tab) => tab.id === props.value)))
  }
})

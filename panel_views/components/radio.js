import { field } from "./field.js"
import { freshId, h } from "./kit.js"

export default field(`
  .list { display: flex; flex-direction: column; gap: 2px; }
  .list label { display: flex; align-items: center; gap: 10px; padding: 5px 0; cursor: pointer; overflow-wrap: anywhere; }
  .list input { width: 18px; height: 18px; margin: 0; accent-color: var(--accent); flex: none; }
  .buttons { display: flex; flex-wrap: wrap; gap: 2px; padding: 3px; border-radius: 11px; background: var(--sunken); border: 1px solid var(--line); width: fit-content; max-width: 100%; }
  .buttons label { position: relative; padding: 6px 14px; border-radius: 8px; font-size: 14px; line-height: 22px; color: var(--muted); cursor: pointer; }
  .buttons input { position: absolute; inset: 0; margin: 0; opacity: 0; cursor: pointer; }
  .buttons label:hover { color: var(--ink); }
  .buttons label:has(:checked) { background: var(--surface); color: var(--ink); font-weight: 550; box-shadow: 0 1px 2px rgb(0 0 0 / .12); }
  .buttons label:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: 1px; }
`, ({ slot, send }) => {
  const name = freshId("radio")
  const list = h("div", { role: "radiogroup" })
  let shown = ""
  let inputs = []
  slot.append(list)
  return (props) => {
    const next = JSON.stringify([props.options, props.style])
    if (next !== shown) {
      shown = next
      list.className = props.style
      inputs = props.options.map((option) => h("input", { type: "radio", name, onchange: () => send("value", option.value) }))
      list.replaceChildren(...props.options.map((option, n) => h("label", {}, inputs[n], h("span", { text: option.label }))))
    }
    inputs.forEach((input, n) => { input.checked = props.options[n].value === props.value })
  }
}, { group: true })

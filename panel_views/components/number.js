import { component, freshId, h, icon } from "./kit.js"

export default component(`
  .column { display: flex; flex-direction: column; gap: 4px; }
  .field { display: flex; align-items: center; border: 1px solid var(--line-strong); border-radius: 10px; background: var(--surface); }
  .field:focus-within { border-color: var(--accent); box-shadow: 0 0 0 3px var(--accent-soft); }
  input { flex: 1; min-width: 0; height: 42px; padding: 0 12px; border: 0; background: none; outline: 0; font-variant-numeric: tabular-nums; }
  .unit { padding-right: 12px; color: var(--muted); font-size: 14px; }
`, ({ root, send }) => {
  const id = freshId("number")
  const label = h("label", { class: "label", for: id })
  const input = h("input", { id, type: "number", inputmode: "decimal" })
  const unit = h("span", { class: "unit" })
  const help = h("div", { class: "help" })
  const fault = h("div", { class: "fault", role: "alert" })
  let limits = {}
  const complain = (text) => fault.replaceChildren(...(text ? [icon("warning"), h("span", { text })] : []))
  input.addEventListener("change", () => {
    const value = input.valueAsNumber
    if (Number.isNaN(value)) return complain("Enter a number.")
    if (value < limits.min || value > limits.max) return complain(`Enter a number from ${limits.min} to ${limits.max}.`)
    complain(null)
    send("value", value)
  })
  root.append(h("div", { class: "column" }, label, h("div", { class: "field" }, input, unit), help, fault))
  return (props) => {
    limits = props
    label.textContent = props.label
    unit.textContent = props.unit
    Object.assign(input, { min: props.min, max: props.max, step: props.step })
    if (root.getRootNode().activeElement !== input) input.value = props.value
    help.textContent = props.help
    help.hidden = !props.help
    complain(props.error)
  }
})

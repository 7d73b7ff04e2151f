import { field } from "./field.js"
import { h } from "./kit.js"

export default field(`
  .box input { font-variant-numeric: tabular-nums; } .unit { padding-right: 12px; color: var(--muted); font-size: 14px; }
`, ({ slot, id, send, complain }) => {
  const input = h("input", { id, type: "number", inputmode: "decimal" })
  const unit = h("span", { class: "unit" })
  let limits = {}
  input.addEventListener("change", () => {
    const value = input.valueAsNumber
    if (Number.isNaN(value)) {
      if (!limits.blank || input.validity.badInput) return complain("Enter a number.")
      complain(null)
      return send("value", null)
    }
    if (value < limits.min || value > limits.max) return complain(`Enter a number from ${limits.min} to ${limits.max}.`)
    complain(null)
    send("value", value)
  })
  slot.append(h("div", { class: "box" }, input, unit))
  return (props, status, focused) => {
    limits = props
    unit.textContent = props.unit
    Object.assign(input, { min: props.min, max: props.max, step: props.step, required: props.required })
    if (focused !== input) input.value = props.value ?? ""
  }
})

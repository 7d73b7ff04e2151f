import { field } from "./field.js"
import { h } from "./kit.js"

const TYPES = { date: "date", time: "time", datetime: "datetime-local" }

export default field(`
  .box input { font-variant-numeric: tabular-nums; } ::-webkit-calendar-picker-indicator { opacity: .55; cursor: pointer; }
`, ({ slot, id, send, complain }) => {
  const input = h("input", { id })
  input.addEventListener("change", () => {
    if (input.validity.badInput) return complain("This is no date that there is.")
    send("value", input.value || null)
  })
  slot.append(h("div", { class: "box" }, input))
  return (props, status, focused) => {
    Object.assign(input, { type: TYPES[props.mode], min: props.min ?? "", max: props.max ?? "", required: props.required })
    if (focused !== input || props.value !== (input.value || null)) input.value = props.value ?? ""
  }
})

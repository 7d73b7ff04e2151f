import { field } from "./field.js"
import { h } from "./kit.js"

const PAUSE = 500 // ms without a key, after which the text is told

export default field(`
  .box textarea { height: auto; padding: 9px 12px; line-height: 22px; resize: vertical; min-height: 64px; }
`, ({ slot, id, side, send }) => {
  const area = h("textarea", { id })
  let timer = null
  let told = ""
  let most = 0
  const count = () => {
    side.hidden = most >= 20_000
    side.textContent = `${area.value.length} of ${most}`
  }
  const tell = () => {
    clearTimeout(timer)
    timer = null
    if (area.value === told) return
    told = area.value
    send("value", told || null)
  }
  area.addEventListener("input", () => { count(); clearTimeout(timer); timer = setTimeout(tell, PAUSE) })
  area.addEventListener("change", tell)
  slot.append(h("div", { class: "box" }, area))
  return (props, status, focused) => {
    Object.assign(area, { placeholder: props.placeholder, rows: props.rows, maxLength: props.max_length, required: props.required })
    most = props.max_length
    if (timer === null && !(focused === area && (props.value ?? "") === told)) {
      told = props.value ?? ""
      area.value = told
    }
    count()
  }
})

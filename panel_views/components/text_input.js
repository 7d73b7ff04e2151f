import { field } from "./field.js"
import { h } from "./kit.js"

const PAUSE = 400 // ms without a key, after which the text is told

export default field("", ({ slot, id, send, emit }) => {
  const input = h("input", { id, spellcheck: "false" })
  let timer = null
  let told = null
  const tell = () => {
    clearTimeout(timer)
    timer = null
    if (input.value === (told ?? "")) return
    told = input.value
    send("value", input.value || null)
  }
  input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(tell, PAUSE) })
  input.addEventListener("change", tell)
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.isComposing) return
    tell()
    emit("submit", null)
  })
  slot.append(h("div", { class: "box" }, input))
  return (props, status, focused) => {
    Object.assign(input, { type: props.mode, placeholder: props.placeholder, maxLength: props.max_length })
    input.required = props.required
    if (timer !== null) return
    if (focused === input && props.value === (told || null)) return
    told = props.value ?? ""
    input.value = told
  }
})

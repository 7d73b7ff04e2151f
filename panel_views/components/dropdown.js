import { field } from "./field.js"
import { h } from "./kit.js"

export default field(`
  .box { position: relative; } .box select { appearance: none; padding-right: 36px; cursor: pointer; }
  .box::after { content: ""; position: absolute; right: 16px; top: 16px; width: 7px; height: 7px; border: solid var(--muted); border-width: 0 1.75px 1.75px 0;
    transform: rotate(45deg); pointer-events: none; }
  option { background: var(--surface); color: var(--ink); } .blank { color: var(--muted) !important; }
`, ({ slot, id, send }) => {
  const select = h("select", { id })
  let options = []
  let shown = ""
  select.addEventListener("change", () => send("value", select.value === "" ? null : options[Number(select.value)].value))
  slot.append(h("div", { class: "box" }, select))
  return (props, status) => {
    const loading = status.options === "loading"
    const next = JSON.stringify([props.options, props.placeholder, loading])
    if (next !== shown) {
      shown = next
      options = props.options
      const empty = loading ? "Loading…" : options.length ? props.placeholder : "Nothing to choose from"
      select.replaceChildren(h("option", { value: "", text: empty }), ...options.map((option, n) => h("option", { value: n, text: option.label })))
    }
    select.required = props.required
    select.disabled = loading || !options.length
    const index = options.findIndex((option) => option.value === props.value)
    select.value = index < 0 ? "" : String(index)
    select.classList.toggle("blank", index < 0)
  }
})

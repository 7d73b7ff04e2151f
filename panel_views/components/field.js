// What the fields share: label, help, fault, and being switched off. A field fills `slot`, a fieldset.
import { component, freshId, h, icon } from "./kit.js"

const CSS = `
  .column { display: flex; flex-direction: column; gap: 4px; }
  .column.fill { height: 100%; } .fill .slot { flex: 1; min-height: 0; display: flex; flex-direction: column; }
  .slot { min-width: 0; margin: 0; padding: 0; border: 0; }
  .slot[disabled] { opacity: .55; } .slot[disabled] * { cursor: not-allowed; }
  .must { color: var(--danger); margin-left: 3px; }
  .box { display: flex; align-items: center; border: 1px solid var(--line-strong); border-radius: 10px; background: var(--surface); }
  .box:hover { border-color: var(--muted); }
  .box:focus-within { border-color: var(--accent); box-shadow: 0 0 0 3px var(--accent-soft); }
  .wrong .box { border-color: var(--danger); } .wrong .box:focus-within { box-shadow: 0 0 0 3px var(--danger-soft); }
  .box input, .box textarea, .box select { flex: 1; min-width: 0; width: 100%; height: 42px; padding: 0 12px; border: 0; border-radius: 10px; background: none;
    outline: 0; font: inherit; color: inherit; }
  .box ::placeholder { color: var(--muted); opacity: 1; }
  .foot { display: flex; justify-content: space-between; gap: 12px; } .side { margin-left: auto; } .foot:not(:has(> :not([hidden]))) { display: none; }
`

export function field(css, build, { group = false, fill = false } = {}) {
  return component(CSS + css, (tools) => {
    const id = freshId("field")
    const words = h("span")
    const must = h("span", { class: "must", text: "*", "aria-hidden": "true" })
    const label = group ? h("div", { class: "label", id: `${id}-label` }, words, must) : h("label", { class: "label", for: id }, words, must)
    const slot = h("fieldset", group ? { class: "slot", "aria-labelledby": `${id}-label` } : { class: "slot" })
    const help = h("div", { class: "help", id: `${id}-help` })
    const side = h("div", { class: "help side", hidden: true })
    const fault = h("div", { class: "fault", role: "alert", id: `${id}-fault` })
    const column = h("div", { class: fill ? "column fill" : "column" }, label, slot, h("div", { class: "foot" }, help, side), fault)
    tools.root.append(column)
    const complain = (text) => {
      fault.replaceChildren(...(text ? [icon("warning"), h("span", { text })] : []))
      fault.hidden = !text
      column.classList.toggle("wrong", Boolean(text))
      for (const control of group ? [slot] : slot.querySelectorAll("input, textarea, select")) {
        control.setAttribute("aria-describedby", `${help.id} ${fault.id}`)
        if (text) control.setAttribute("aria-invalid", "true")
        else control.removeAttribute("aria-invalid")
      }
    }
    const update = build({ ...tools, id, slot, side, complain, label })
    const focused = () => tools.root.getRootNode().activeElement
    return (props, status) => {
      words.textContent = props.label
      label.hidden = !props.label
      must.hidden = !props.required
      slot.disabled = Boolean(props.disabled)
      help.textContent = props.help
      help.hidden = !props.help
      update(props, status, focused())
      complain(props.error ?? (status.value === "error" ? props.fault : null))
    }
  })
}

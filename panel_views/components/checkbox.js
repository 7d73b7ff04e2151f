import { component, freshId, h, icon } from "./kit.js"

export default component(`
  .line { display: flex; align-items: flex-start; gap: 10px; cursor: pointer; padding: 4px 0; overflow-wrap: anywhere; }
  .line.off { opacity: .55; cursor: not-allowed; }
  input { flex: none; margin: 2px 0 0; cursor: inherit; }
  .checkbox input { width: 18px; height: 18px; accent-color: var(--accent); }
  .switch input { appearance: none; position: relative; width: 38px; height: 22px; margin-top: 0; border-radius: 11px; background: var(--track); transition: background .15s; }
  .switch input::before { content: ""; position: absolute; top: 2px; left: 2px; width: 18px; height: 18px; border-radius: 50%; background: #fff;
    box-shadow: 0 1px 3px rgb(0 0 0 / .3); transition: transform .15s; }
  .switch input:checked { background: var(--accent); } .switch input:checked::before { transform: translateX(16px); }
  .must { color: var(--danger); margin-left: 3px; } .help, .fault { margin-top: 2px; }
`, ({ root, send }) => {
  const id = freshId("checkbox")
  const input = h("input", { id, type: "checkbox", "aria-describedby": `${id}-help ${id}-fault` })
  const words = h("span")
  const must = h("span", { class: "must", text: "*", "aria-hidden": "true" })
  const line = h("label", { for: id }, input, h("span", {}, words, must))
  const help = h("div", { class: "help", id: `${id}-help` })
  const fault = h("div", { class: "fault", role: "alert", id: `${id}-fault` })
  input.addEventListener("change", () => send("value", input.checked))
  root.append(h("div", {}, line, help, fault))
  return (props) => {
    line.className = `line ${props.style} ${props.disabled ? "off" : ""}`
    if (props.style === "switch") input.setAttribute("role", "switch")
    else input.removeAttribute("role")
    input.checked = props.value === true
    input.disabled = props.disabled
    words.textContent = props.label
    must.hidden = !props.required
    help.textContent = props.help
    help.hidden = !props.help
    fault.replaceChildren(...(props.error ? [icon("warning"), h("span", { text: props.error })] : []))
  }
})

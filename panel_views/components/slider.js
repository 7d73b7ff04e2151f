import { component, freshId, h, icon } from "./kit.js"

export default component(`
  .head { display: flex; justify-content: space-between; align-items: baseline; gap: 12px; }
  output { font-variant-numeric: tabular-nums; font-size: 14px; color: var(--muted); }
  input { width: 100%; height: 28px; margin: 2px 0 0; appearance: none; background: none; cursor: pointer; }
  input::-webkit-slider-runnable-track { height: 6px; border-radius: 3px;
    background: linear-gradient(to right, var(--accent) var(--filled, 0%), var(--track) var(--filled, 0%)); }
  input::-moz-range-track { height: 6px; border-radius: 3px; background: var(--track); }
  input::-moz-range-progress { height: 6px; border-radius: 3px; background: var(--accent); }
  input::-webkit-slider-thumb { appearance: none; width: 20px; height: 20px; margin-top: -7px; border-radius: 50%;
    background: #fff; border: 1px solid var(--line-strong); box-shadow: 0 1px 3px rgb(0 0 0 / .2); }
  input::-moz-range-thumb { width: 20px; height: 20px; border-radius: 50%; background: #fff; border: 1px solid var(--line-strong); }
`, ({ root, send }) => {
  const id = freshId("slider")
  const label = h("label", { class: "label", for: id })
  const shown = h("output", { for: id })
  const input = h("input", { id, type: "range" })
  const help = h("div", { class: "help" })
  const fault = h("div", { class: "fault", role: "alert" })
  let timer = null
  let unit = ""
  const paint = () => {
    const part = (input.value - input.min) / (input.max - input.min || 1)
    input.style.setProperty("--filled", `${part * 100}%`)
    shown.textContent = unit ? `${input.value} ${unit}` : input.value
  }
  const tell = () => { timer = null; send("value", Number(input.value)) }
  input.addEventListener("input", () => { paint(); timer ??= setTimeout(tell, 120) })
  input.addEventListener("change", () => { clearTimeout(timer); tell() })
  root.append(h("div", { class: "head" }, label, shown), input, help, fault)
  return (props) => {
    label.textContent = props.label
    unit = props.unit
    Object.assign(input, { min: props.min, max: props.max, step: props.step })
    // An answer from the server must not move the thumb under the finger.
    if (timer === null && root.getRootNode().activeElement !== input) input.value = props.value
    help.textContent = props.help
    help.hidden = !props.help
    input.disabled = props.disabled
    label.toggleAttribute("data-off", props.disabled)
    fault.replaceChildren(...(props.error ? [icon("warning"), h("span", { text: props.error })] : []))
    paint()
  }
})

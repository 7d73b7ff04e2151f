import { component, h, icon } from "./kit.js"

export default component(`
  :host { height: auto; }
  .box { display: flex; gap: 12px; margin-bottom: var(--gap); padding: 12px 16px; border-radius: 12px; font-size: 14px; line-height: 20px;
    background: var(--info-soft); color: var(--info); overflow-wrap: anywhere; }
  .box .icon { margin-top: 1px; width: 18px; height: 18px; }
  .success { background: var(--success-soft); color: var(--success); } .warning { background: var(--warning-soft); color: var(--warning); }
  .error { background: var(--danger-soft); color: var(--danger); }
  strong { display: block; font-weight: 600; } p { margin: 0; } ul { margin: 4px 0 0; padding-left: 18px; }
`, ({ root }) => {
  const mark = h("span")
  const title = h("strong")
  const text = h("p")
  const list = h("ul")
  const box = h("div", { class: "box", role: "alert", hidden: true }, mark, h("div", {}, title, text, list))
  root.append(box)
  return (props) => {
    const problem = props.problem
    const style = problem ? "error" : props.style
    box.className = `box ${style}`
    box.hidden = !problem && !props.text
    mark.replaceChildren(icon({ error: "warning", warning: "warning", success: "check", info: "info" }[style]))
    title.textContent = problem ? problem.title ?? "That did not work" : ""
    title.hidden = !title.textContent
    text.textContent = problem ? problem.detail ?? "" : props.text ?? ""
    const faults = problem && Array.isArray(problem.errors) ? problem.errors : []
    list.hidden = !faults.length
    list.replaceChildren(...faults.map((fault) => h("li", { text: [(fault.loc ?? []).join(" › "), fault.msg].filter(Boolean).join(": ") })))
  }
})

import { component, h } from "./kit.js"

export default component(`
  .line { display: flex; align-items: center; gap: 14px; min-height: 20px; color: var(--muted); font-size: 13px; font-weight: 550; letter-spacing: .01em; }
  .line::before, .line:not(.bare)::after { content: ""; flex: 1; height: 1px; background: var(--line-strong); }
`, ({ root }) => {
  const words = h("span")
  const line = h("div", { class: "line", role: "separator" }, words)
  root.append(line)
  return (props) => {
    words.textContent = props.label
    words.hidden = !props.label
    line.classList.toggle("bare", !props.label)
  }
})

import { component, h } from "./kit.js"

export default component(`
  p { margin: 0; overflow-wrap: anywhere; white-space: pre-line; }
  .title { font-size: 28px; line-height: 36px; font-weight: 650; letter-spacing: -0.02em; }
  .heading { font-size: 17px; line-height: 24px; font-weight: 600; }
  .wrong { color: var(--danger); font-size: 14px; line-height: 20px; }
  .muted { color: var(--muted); font-size: 14px; line-height: 20px; }
`, ({ root }) => {
  const line = h("p")
  root.append(line)
  return (props, status) => {
    const wrong = status.text === "error"
    line.className = wrong ? "wrong" : props.style
    line.textContent = wrong ? props.fault ?? "—" : props.text ?? ""
  }
})

import { component, h } from "./kit.js"
import { COPY_CSS, copyButton } from "./copy.js"

export default component(COPY_CSS + `
  .frame { display: flex; flex-direction: column; height: 100%; border: 1px solid var(--line); border-radius: 12px; overflow: hidden; background: var(--sunken); }
  .head { display: flex; justify-content: space-between; align-items: center; gap: 12px; padding: 5px 6px 5px 16px; border-bottom: 1px solid var(--line); }
  .head .label { font-size: 13px; color: var(--muted); }
  pre { flex: 1; margin: 0; padding: 12px 16px; overflow: auto; font: 13px/20px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; tab-size: 4; }
  pre:focus-visible { outline-offset: -2px; }
  .numbers { display: inline-block; padding-right: 16px; color: var(--muted); opacity: .7; text-align: right; user-select: none; vertical-align: top; }
  code { display: inline-block; font: inherit; white-space: pre; vertical-align: top; }
  .comment { color: var(--muted); font-style: italic; } .keyword { color: var(--code-keyword); } .string { color: var(--code-string); } .number { color: var(--code-number); }
  .name { color: var(--code-name); } .builtin { color: var(--code-number); }
`, ({ root }) => {
  let text = ""
  const label = h("span", { class: "label" })
  const numbers = h("span", { class: "numbers", "aria-hidden": "true" })
  const code = h("code")
  const body = h("pre", { tabindex: "0" }, numbers, code)
  root.append(h("div", { class: "frame" }, h("div", { class: "head" }, label, copyButton(() => text)), body))
  return (props, status) => {
    text = status.text === "error" ? props.fault ?? "" : props.text ?? ""
    label.textContent = props.label || (props.language === "text" ? "" : props.language)
    code.replaceChildren(...(status.text === "error" ? [text] : props.words.map(([style, piece]) => style ? h("span", { class: style, text: piece }) : piece)))
    numbers.hidden = !props.line_numbers
    numbers.textContent = props.line_numbers ? text.replace(/\n$/, "").split("\n").map((_, n) => n + 1).join("\n") : ""
    numbers.style.whiteSpace = "pre"
  }
})

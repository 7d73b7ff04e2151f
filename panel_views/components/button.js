import { component, h } from "./kit.js"

export default component(`
  .column { display: flex; flex-direction: column; gap: 8px; }
  button { display: inline-flex; align-items: center; justify-content: center; gap: 10px; width: 100%; min-height: 44px;
    padding: 10px 18px; border-radius: 11px; border: 1px solid transparent; font-weight: 600; font-size: 15px; line-height: 22px;
    transition: background .15s, box-shadow .15s, transform .05s; }
  button.primary { background: var(--accent); color: var(--on-accent); box-shadow: 0 1px 2px rgb(0 0 0 / .12); }
  button.primary:hover:not([aria-disabled]) { background: var(--accent-strong); }
  button.secondary { background: var(--surface); border-color: var(--line-strong); }
  button.secondary:hover:not([aria-disabled]) { background: var(--sunken); }
  button.danger { background: var(--surface); border-color: var(--danger); color: var(--danger); }
  button.danger:hover:not([aria-disabled]) { background: var(--danger-soft); }
  button:active:not([aria-disabled]) { transform: translateY(1px); }
  button[aria-disabled] { cursor: default; }
  button[aria-disabled]:not([aria-busy]) { background: var(--sunken); border-color: transparent; color: var(--muted); box-shadow: none; }
  button[aria-busy] { cursor: progress; opacity: .9; }
  .spinner { width: 16px; height: 16px; border: 2px solid currentColor; border-right-color: transparent; border-radius: 50%;
    animation: turn .8s linear infinite; }
  @keyframes turn { to { transform: rotate(1turn) } }
`, ({ root, emit }) => {
  const spinner = h("span", { class: "spinner", hidden: true })
  const caption = h("span")
  let blocked = false
  const button = h("button", { type: "button", onclick: () => { if (!blocked) emit("click", null) } }, spinner, caption)
  const hint = h("div", { class: "help" })
  root.append(h("div", { class: "column" }, button, hint))
  return (props) => {
    blocked = props.busy || props.disabled
    button.className = props.style
    button.toggleAttribute("aria-busy", props.busy)
    if (props.busy) button.setAttribute("aria-busy", "true")
    // Not `disabled`: the button keeps the focus while a run is under way.
    if (blocked) button.setAttribute("aria-disabled", "true")
    else button.removeAttribute("aria-disabled")
    spinner.hidden = !props.busy
    caption.textContent = props.busy && props.busy_label ? props.busy_label : props.label
    hint.textContent = props.hint
    hint.hidden = !props.hint
  }
})

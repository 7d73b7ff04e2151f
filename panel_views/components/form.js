// Fields that are given as one. The server checks them all and says which are wrong.
import { component, h } from "./kit.js"
import { heading, SURFACE_CSS, tracks, TRACKS_CSS } from "./tracks.js"

export default component(TRACKS_CSS + SURFACE_CSS + `
  .row { display: flex; flex-wrap: wrap; align-items: center; gap: 10px 12px; padding: 4px 0 var(--gap); }
  button { min-height: 44px; padding: 10px 20px; border: 1px solid transparent; border-radius: 11px; font-weight: 600; line-height: 22px; }
  .send { background: var(--accent); color: var(--on-accent); } .send:hover:enabled { background: var(--accent-strong); }
  .again { background: none; border-color: var(--line-strong); } .again:hover:enabled { background: var(--sunken); }
  button:disabled { background: var(--sunken); color: var(--muted); cursor: default; } .fault { flex: 1; min-width: 180px; }
  .plain { padding: 0; border: 0; box-shadow: none; background: none; border-radius: 0; }
`, ({ root, model, emit, listen }) => {
  const { head, name } = heading()
  const send = h("button", { type: "submit", class: "send" })
  const again = h("button", { type: "button", class: "again", onclick: () => emit("reset", null) })
  const fault = h("div", { class: "fault", role: "alert" })
  const grid = tracks(model)
  const form = h("form", { class: "surface inner", novalidate: true }, head, grid, h("div", { class: "row" }, send, again, fault))
  root.append(form)
  form.addEventListener("submit", (event) => { event.preventDefault(); emit("submit", null) })
  form.addEventListener("keydown", (event) => {
    const [target] = event.composedPath()
    if (event.key === "Enter" && target instanceof HTMLInputElement && target.type !== "file" && !send.disabled) setTimeout(() => emit("submit", null))
  })
  listen(({ faulty }) => {
    const cell = faulty && grid.querySelector(`[data-component="${globalThis.CSS.escape(faulty)}"]`)
    cell?.scrollIntoView({ block: "nearest", behavior: "smooth" })
    const inner = cell?.firstElementChild?.shadowRoot ?? cell?.querySelector("*")?.shadowRoot
    inner?.querySelector("input, select, textarea, button")?.focus({ preventScroll: true })
  })
  return (props) => {
    name(props)
    form.classList.toggle("plain", props.style === "plain")
    send.textContent = props.busy && props.busy_label ? props.busy_label : props.submit_label
    send.disabled = props.busy || props.disabled
    send.setAttribute("aria-busy", String(props.busy))
    again.textContent = props.reset_label
    again.hidden = !props.reset_label
    again.disabled = props.busy || props.disabled
    fault.textContent = props.error ?? ""
    fault.hidden = !props.error
  }
})

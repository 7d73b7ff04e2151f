// A window over the page. It is a <dialog>: the focus stays inside, and Escape closes it.
import { component, EDITED, freshId, h, icon } from "./kit.js"
import { HEADING_CSS, heading, tracks, TRACKS_CSS } from "./tracks.js"

export default component(TRACKS_CSS + HEADING_CSS + `
  :host, :host > div { height: auto; } :host { container-type: normal; }
  dialog { width: min(var(--wide), calc(100vw - 32px)); max-height: calc(100vh - 64px); padding: 24px 24px calc(24px - var(--gap)); border: 1px solid var(--line); border-radius: var(--radius);
    background: var(--surface); color: var(--ink); box-shadow: 0 24px 80px rgb(0 0 0 / .28); overflow: auto; }
  dialog::backdrop { background: rgb(15 16 18 / .45); backdrop-filter: blur(2px); } .inner { container-type: inline-size; }
  dialog.edited { position: static; width: 100%; max-height: none; margin: 0 0 var(--gap); box-shadow: none; border-style: dashed; border-color: var(--line-strong); }
  .top { display: flex; align-items: flex-start; justify-content: space-between; gap: 16px; } .top header { flex: 1; }
  .close { display: grid; place-items: center; width: 34px; height: 34px; margin: -5px -8px 0 0; padding: 0; border: 0; border-radius: 9px; background: none; color: var(--muted); } .close:hover { background: var(--sunken); color: var(--ink); }
`, ({ root, model, send, emit }) => {
  const id = freshId("modal")
  const { head, name } = heading()
  head.querySelector("h2").id = id
  const leave = () => { if (!EDITED) dialog.close() }
  const dialog = h("dialog", { "aria-labelledby": id }, h("div", { class: "top" }, head, h("button", { type: "button", class: "close", "aria-label": "Close", onclick: leave }, icon("close"))),
    h("div", { class: "inner" }, tracks(model)))
  root.append(dialog)
  dialog.classList.toggle("edited", EDITED)
  dialog.open = EDITED
  dialog.addEventListener("click", (event) => { if (event.target === dialog) leave() })
  dialog.addEventListener("close", () => {
    if (!model.props.open) return // the server has closed it
    send("open", false)
    emit("close", null)
  })
  return (props) => {
    name(props)
    dialog.style.setProperty("--wide", { small: "420px", medium: "640px", large: "960px" }[props.size])
    if (EDITED) return
    if (props.open && !dialog.open) dialog.showModal()
    if (!props.open && dialog.open) dialog.close()
  }
})

import { component, h, icon } from "./kit.js"
import { PROSE_CSS, prose } from "./prose.js"

const MOST = 20_000 // characters of a message

export default component(PROSE_CSS + `
  .frame { display: flex; flex-direction: column; height: 100%; min-height: 0; gap: 10px; }
  .list { flex: 1; min-height: 0; overflow: auto; display: flex; flex-direction: column; gap: 12px; padding: 16px; border: 1px solid var(--line); border-radius: 12px; background: var(--ground); }
  .said { max-width: 84%; padding: 10px 14px; border-radius: 14px; font-size: 15px; line-height: 22px; overflow-wrap: anywhere; }
  .assistant { align-self: flex-start; background: var(--surface); border: 1px solid var(--line); border-bottom-left-radius: 5px; }
  .user { align-self: flex-end; background: var(--accent); color: var(--on-accent); border-bottom-right-radius: 5px; white-space: pre-wrap; }
  .system { align-self: center; color: var(--muted); font-size: 13px; line-height: 18px; padding: 2px 10px; text-align: center; white-space: pre-wrap; }
  .who { display: block; margin-bottom: 2px; font-size: 12px; line-height: 16px; opacity: .75; font-weight: 550; } .empty { margin: auto; color: var(--muted); font-size: 14px; text-align: center; }
  .dots { display: inline-flex; gap: 4px; padding: 6px 2px; } .dots i { width: 7px; height: 7px; border-radius: 50%; background: var(--muted); animation: hop 1.1s infinite; } .dots i:nth-child(2) { animation-delay: .15s; } .dots i:nth-child(3) { animation-delay: .3s; }
  @keyframes hop { 0%, 60%, 100% { opacity: .3 } 30% { opacity: 1 } }
  form { display: flex; align-items: flex-end; gap: 8px; padding: 5px 5px 5px 14px; border: 1px solid var(--line-strong); border-radius: 14px; background: var(--surface); }
  form:focus-within { border-color: var(--accent); box-shadow: 0 0 0 3px var(--accent-soft); }
  textarea { flex: 1; min-width: 0; max-height: 160px; padding: 8px 0; border: 0; background: none; outline: 0; resize: none; line-height: 22px; field-sizing: content; }
  button { display: grid; place-items: center; width: 38px; height: 38px; padding: 0; border: 0; border-radius: 10px; background: var(--accent); color: var(--on-accent); flex: none; } button:disabled { background: var(--sunken); color: var(--muted); cursor: default; }
`, ({ root, emit }) => {
  let blocked = false
  const label = h("div", { class: "label" })
  const list = h("div", { class: "list", role: "log", "aria-live": "polite", tabindex: "0" })
  const area = h("textarea", { rows: "1", maxlength: String(MOST) })
  const send = h("button", { type: "submit", "aria-label": "Send" }, icon("up"))
  const form = h("form", {}, area, send)
  const fault = h("div", { class: "fault", role: "alert" })
  root.append(h("div", { class: "frame" }, label, list, fault, form))
  const ready = () => { send.disabled = blocked || !area.value.trim() }
  form.addEventListener("submit", (event) => {
    event.preventDefault()
    if (blocked || !area.value.trim()) return
    emit("send", area.value)
    area.value = ""
    ready()
  })
  area.addEventListener("input", ready)
  area.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return
    event.preventDefault()
    event.stopPropagation()
    form.requestSubmit()
  })
  const said = (message) => h("div", { class: `said ${message.role}` }, message.name ? h("span", { class: "who", text: message.name }) : null,
    message.html === undefined ? message.text : prose(message.html))
  return (props, status) => {
    const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60
    blocked = props.busy || props.disabled
    label.textContent = props.label
    label.hidden = !props.label
    list.setAttribute("aria-label", props.label || "Messages")
    area.placeholder = props.placeholder
    area.setAttribute("aria-label", props.placeholder || "Message")
    area.disabled = props.disabled
    const waiting = props.busy || status.messages === "loading"
    const dots = waiting ? h("div", { class: "said assistant", role: "status", "aria-label": "Writing" }, h("span", { class: "dots" }, h("i"), h("i"), h("i"))) : null
    const empty = !props.messages.length && !waiting ? h("div", { class: "empty", text: props.empty }) : null
    list.replaceChildren(...[...props.messages.map(said), dots, empty].filter(Boolean))
    fault.textContent = status.messages === "error" ? props.fault ?? "The messages can't be read just now." : ""
    fault.hidden = !fault.textContent
    ready()
    if (atEnd) list.scrollTop = list.scrollHeight
  }
})

// Another page in a frame. What is of our own address gets no origin of its own there: nothing of it can reach this page,
// its cookies or the server in its reader's name. Another site keeps its origin, which is not ours.
import { component, h, icon, withTicket } from "./kit.js"
import { NOTES_CSS, noted } from "./notes.js"

const OURS = "allow-scripts allow-forms allow-popups allow-downloads"
const THEIRS = `${OURS} allow-same-origin allow-popups-to-escape-sandbox allow-presentation`
const PATIENCE = 8_000 // then it is shown as it is: many a page can be read long before its last part has come

// The server has checked the address against its list; this is for what a browser reads otherwise.
function read(source) {
  if (typeof source !== "string" || !/^(\/(?![/\\])|https?:\/\/)/.test(source)) return null
  try {
    return new URL(withTicket(source), location.href)
  } catch {
    return null
  }
}

export default component(NOTES_CSS + `
  .around { display: flex; flex-direction: column; gap: 6px; height: 100%; min-height: 0; }
  .head { display: flex; align-items: center; gap: 8px; min-height: 32px; } .head .label { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .head a { display: grid; place-items: center; width: 32px; height: 32px; border-radius: 8px; color: var(--muted); } .head a:hover { background: var(--sunken); color: var(--ink); } .head .icon { width: 17px; height: 17px; }
  .pane { position: relative; flex: 1; min-height: 240px; display: flex; border: 1px solid var(--line); border-radius: 12px; overflow: hidden; background: var(--surface); }
  .pane .note { border-radius: 0; } .pane:has(iframe) .note { position: absolute; inset: 0; }
  iframe { flex: 1; width: 100%; min-width: 0; height: 100%; border: 0; background: #fff; color-scheme: normal; } iframe:focus-visible { outline-offset: -2px; }
`, ({ root }) => {
  let shown = null
  let frame = null
  let allowed = ""
  let coming = false
  let late = 0
  let last = null
  const label = h("span", { class: "label" })
  const apart = h("a", { target: "_blank", rel: "noopener noreferrer", "aria-label": "Open by itself", title: "Open by itself" }, icon("link"))
  const head = h("div", { class: "head" }, label, apart)
  const { note, tell } = noted("box")
  const pane = h("div", { class: "pane" }, note)
  root.append(h("div", { class: "around" }, head, pane))

  function paint() {
    const [props, status] = last
    const failed = status.source === "error" || props.fault
    const waiting = coming && !failed
    tell({
      status: failed ? "error" : waiting ? "loading" : status.source,
      fault: props.fault,
      filled: Boolean(shown) && !waiting,
      empty: props.empty,
    })
    label.textContent = props.label
    apart.hidden = !shown
    if (shown) apart.href = shown
    head.hidden = !props.label && !shown
    if (frame) {
      frame.title = props.title || props.label || "Page"
      frame.hidden = Boolean(failed)
    }
  }

  function leave() {
    clearTimeout(late)
    frame?.remove()
    frame = null
    coming = false
  }

  // A new element each time: what it shows first leaves nothing in the history that “back” would go through.
  function open(url) {
    leave()
    const ours = url.origin === location.origin
    frame = h("iframe", { sandbox: ours ? OURS : THEIRS, allow: allowed, referrerpolicy: "strict-origin", loading: "lazy" })
    coming = true
    const mine = frame
    frame.addEventListener("load", () => { if (mine === frame) { coming = false; clearTimeout(late); paint() } })
    late = setTimeout(() => { coming = false; paint() }, PATIENCE)
    frame.src = url.href
    pane.prepend(frame)
  }

  return (props, status) => {
    last = [props, status]
    const url = read(props.source)
    const allow = (props.allow ?? []).join("; ")
    if ((url?.href ?? null) !== shown || allow !== allowed) {
      shown = url?.href ?? null
      allowed = allow
      if (url) open(url)
      else leave()
    }
    paint()
  }
})

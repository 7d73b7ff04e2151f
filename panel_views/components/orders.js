// What a view has the browser do that no component shows: go to another page, say something, copy, hand out a file.
import { h, withTicket } from "./kit.js"

const SHOWN_MS = 5_000
const host = h("div", { class: "notes", role: "status", "aria-live": "polite" })

function say(text, style) {
  const note = h("div", { class: `note ${style}`, text })
  host.append(note)
  const leave = () => note.remove()
  note.addEventListener("click", leave)
  setTimeout(leave, SHOWN_MS + 40 * text.length)
  while (host.children.length > 4) host.firstElementChild.remove()
}

const ORDERS = {
  notify: ({ text, style }) => say(text, style),
  async copy({ text }) {
    try {
      await navigator.clipboard.writeText(text)
      say("Copied", "success")
    } catch {
      say("The browser does not let this page copy.", "warning")
    }
  },
  download({ name, address, text, type }) {
    const made = address ? null : URL.createObjectURL(new Blob([text], { type }))
    const link = h("a", { href: made ?? withTicket(address), download: name })
    link.click()
    if (made) setTimeout(() => URL.revokeObjectURL(made), 10_000)
  },
  // Whatever else the address says stays there; a parameter of the page that is left does not.
  navigate({ view, page, params, forget }) {
    const address = view ? new URL(view, location.href) : new URL(location.href)
    address.hash = ""
    if (!view) for (const name of forget) address.searchParams.delete(name)
    if (page) address.searchParams.set("page", page)
    for (const [name, value] of Object.entries(params)) address.searchParams.set(name, value)
    location.assign(address)
  },
}

export function obey() {
  document.body.append(host)
  document.addEventListener("worklets-told", ({ detail: { what, data } }) => ORDERS[what]?.(data))
  // A page that the browser kept as it was has lost its connection.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload() })
}

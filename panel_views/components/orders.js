// What a view has the browser do that no component shows: go to another page, say something, copy, hand out a file.
// It imports nothing: the page's own scripts and the components' are loaded by two loaders, and a second copy of typed.js
// would take away what was typed.

const SHOWN_MS = 5_000
const TICKET = document.querySelector('meta[name="worklets-ticket"]')?.content
const FILES = document.querySelector('meta[name="worklets-files"]')?.content
const host = Object.assign(document.createElement("div"), { className: "notes", role: "status" })

// As kit.js has it, for addresses of files of the server.
function reachable(address) {
  if (FILES) return FILES.slice(0, -"files".length) + address.slice("/api/".length)
  return TICKET ? `${address}?ticket=${encodeURIComponent(TICKET)}` : address
}

function say(text, style) {
  const note = Object.assign(document.createElement("div"), { className: `note ${style}`, textContent: text })
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
    const link = Object.assign(document.createElement("a"), { href: made ?? reachable(address), download: name })
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

// In a frame of another site: tells the page around it how high the view is and what it sends, and takes parameters.
// It speaks only with the page that frames it, and only if that page's site is on the view's list.
const origins = (document.body.dataset.origins ?? "").split(" ").filter(Boolean)
const ticket = document.querySelector('meta[name="worklets-ticket"]')?.content
let around = null

function listed(origin) {
  return origin === location.origin || origins.some((allowed) => {
    const [scheme, rest] = allowed.split("://*")
    return rest === undefined ? allowed === origin : origin.startsWith(`${scheme}://`) && origin.endsWith(rest)
  })
}

function tell(message) {
  if (around) parent.postMessage({ worklets: 1, ...message }, around)
}

function size() {
  const box = document.querySelector("main").getBoundingClientRect()
  tell({ kind: "size", height: Math.ceil(box.bottom + scrollY) })
}

// What a view sends is known once its page has met the page around it.
export function sendEvent(event, data) {
  tell({ kind: "event", event, data })
}

export function begin(takeParams) {
  addEventListener("message", (message) => {
    if (message.source !== parent || message.data?.worklets !== 1 || !listed(message.origin)) return
    const { kind, params } = message.data
    if (kind === "hello") {
      around = message.origin
      if (ticket) tell({ kind: "visitor", visitor: ticket })
      size()
    } else if (kind === "params" && params && typeof params === "object") takeParams(params)
  })
  new ResizeObserver(size).observe(document.querySelector("main"))
  // The page around may have loaded before or after: whoever comes second says so. It tells nothing about the visitor.
  parent.postMessage({ worklets: 1, kind: "ready" }, "*")
}

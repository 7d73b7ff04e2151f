// One script tag shows a view in another site's page, as high as it needs:
//   <script src="SERVER/embed.js" data-view="slug" data-token="..." async></script>
// Every other data attribute is a parameter of the view. The frame that is made has `send(params)`; what the view tells
// arrives at it as the event `worklets`, whose detail is {event, data}.
(() => {
  const script = document.currentScript
  if (!script?.dataset.view) return console.error("embed.js: the script tag needs data-view, the view's name.")
  const origin = new URL(script.src).origin
  const { view, token, title, ...parameters } = script.dataset
  const remembered = `worklets visitor ${origin} ${view} ${token ?? ""}`

  // Who the visitor was: in a frame of another site no cookie says so. A browser that keeps nothing makes a new visitor.
  function recall() {
    try { return localStorage.getItem(remembered) } catch { return null }
  }
  function remember(visitor) {
    try { localStorage.setItem(remembered, visitor) } catch { /* it is closed here */ }
  }

  const address = new URL(`/embed/${encodeURIComponent(view)}`, origin)
  if (token) address.searchParams.set("token", token)
  const visitor = recall()
  if (visitor) address.searchParams.set("visitor", visitor)
  for (const [name, value] of Object.entries(parameters)) address.searchParams.set(name, value)

  const frame = document.createElement("iframe")
  frame.src = address
  frame.title = title ?? view
  frame.allow = "camera; clipboard-write; fullscreen"
  frame.style.cssText = "display: block; width: 100%; height: 480px; border: 0; color-scheme: normal"
  script.after(frame)

  const post = (message) => frame.contentWindow?.postMessage({ worklets: 1, ...message }, origin)
  // What is sent before the view listens, or before it is loaded anew, is not lost.
  let given = {}
  frame.send = (params) => post({ kind: "params", params: (given = { ...given, ...params }) })
  frame.addEventListener("load", () => post({ kind: "hello" }))
  addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || event.origin !== origin || event.data?.worklets !== 1) return
    const { kind, height, visitor: ticket, event: name, data } = event.data
    if (kind === "ready") {
      post({ kind: "hello" })
      frame.send({})
    }
    if (kind === "size" && Number.isFinite(height)) frame.style.height = `${Math.min(Math.max(height, 40), 20_000)}px`
    else if (kind === "visitor" && typeof ticket === "string") remember(ticket)
    else if (kind === "event") frame.dispatchEvent(new CustomEvent("worklets", { detail: { event: name, data }, bubbles: true }))
  })
})()

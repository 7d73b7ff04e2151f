// Around the components: takes the skeleton away once they are drawn, and comes back after a lost connection.
import { obey } from "./orders.js"

const stage = document.getElementById("stage")
const lost = document.querySelector(".lost")
const PATIENCE = 15_000
// Another program than ours may serve the page; that it answers is all that can be asked of it.
const served = document.querySelector('meta[name="worklets-files"]') !== null
const HEALTH = served ? location.pathname : "/views/-/health"

// In a frame of another site no cookie keeps who a visitor is, so the frame's own address does.
const ticket = document.querySelector('meta[name="worklets-ticket"]')?.content
if (ticket && document.body.classList.contains("embedded")) {
  const address = new URL(location)
  address.searchParams.set("visitor", ticket)
  history.replaceState(null, "", address)
}

function say(text) {
  lost.firstElementChild.textContent = text
  lost.hidden = false
}

function deepest(element) {
  return element?.shadowRoot?.activeElement ? deepest(element.shadowRoot.activeElement) : element
}

// The page is loaded again, which finds a restarted server, a new version of the view, or the login.
async function comeBack() {
  say("Connection lost. Trying again…")
  for (let wait = 500; ; wait = Math.min(wait * 1.6, 10_000)) {
    await new Promise((resolve) => setTimeout(resolve, wait))
    try {
      const answer = await fetch(HEALTH, { cache: "no-store" })
      if (!answer.ok) continue
      deepest(document.activeElement)?.blur() // a field tells what is in it as it is left
      document.dispatchEvent(new Event("worklets-leaving"))
      return location.reload()
    } catch {
      // still away
    }
  }
}

// What else the address says goes along to the other pages.
for (const link of document.querySelectorAll("nav.pages a")) {
  const address = new URL(location.href)
  address.searchParams.set("page", link.dataset.page)
  link.href = address.href
}

obey()

const begun = performance.now()
function wait() {
  const [view] = window.Bokeh?.documents ?? []
  if (!view) {
    if (performance.now() - begun > PATIENCE) return say("The page could not be opened.")
    return setTimeout(wait, 30)
  }
  const drawn = () => {
    if (stage.classList.contains("drawn")) return
    stage.classList.add("drawn")
    document.dispatchEvent(new Event("worklets-drawn"))
  }
  if (view.is_idle) drawn()
  else view.idle.connect(drawn)
  view.on_event("connection_lost", comeBack)
}
wait()

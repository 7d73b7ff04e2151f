// Which tab of the browser this is: what it holds for a session is found again on the next page of the view.
const PLACE = "worklets tab"

export function tabId() {
  try {
    const known = sessionStorage.getItem(PLACE)
    if (/^[0-9a-f]{32}$/.test(known ?? "")) return known
    const made = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("")
    sessionStorage.setItem(PLACE, made)
    return made
  } catch {
    return null // no storage in this frame: the page is a session of its own
  }
}

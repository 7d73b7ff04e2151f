// What a person typed and chose on this page, for the page that is loaded after a lost connection. It stays in this tab.
const PLACE = `worklets typed ${location.pathname}${new URLSearchParams(location.search).get("page") ?? ""}`
const MOST = 500_000 // characters; files are addresses already

// component id → name → {value, taken}; `taken` once the server has shown it
const typed = new Map()
let kept = null
try {
  kept = JSON.parse(sessionStorage.getItem(PLACE) ?? "null")
  sessionStorage.removeItem(PLACE)
} catch {
  kept = null // no storage in this frame, or not ours
}

// The id of the component that an element stands in, over the borders of shadow trees.
export function idOf(element) {
  for (let at = element; at; at = at.getRootNode().host) {
    const cell = at.closest("[data-component]")
    if (cell) return cell.dataset.component
  }
  return null
}

export function remember(id, name, value, props) {
  if (id === null || props.mode === "password") return
  const names = typed.get(id) ?? new Map()
  typed.set(id, names.set(name, { value, taken: false }))
}

// What the server has taken and then changed, as when a form is reset, is no longer what was typed.
export function compare(id, props) {
  for (const [name, one] of typed.get(id) ?? []) {
    const same = JSON.stringify(props[name] ?? null) === JSON.stringify(one.value ?? null)
    if (same) one.taken = true
    else if (one.taken) typed.get(id).delete(name)
  }
}

// Before the page is loaded again. By an event: the page's own scripts and the components' are loaded by two loaders,
// and each has its own copy of this module.
document.addEventListener("worklets-leaving", () => {
  const all = [...typed].map(([id, names]) => [id, [...names].map(([name, one]) => [name, one.value])])
  const text = JSON.stringify(all.filter(([, names]) => names.length))
  if (text.length > MOST) return
  try {
    sessionStorage.setItem(PLACE, text)
  } catch {
    // no storage: nothing is kept
  }
})

// Calls `give(name, value)` for what the page before had, once this one is connected.
export function giveBack(element, give) {
  if (!kept?.length) return
  const all = () => kept.filter(([id]) => id === idOf(element)).forEach(([, names]) => names.forEach((one) => give(...one)))
  if (document.getElementById("stage")?.classList.contains("drawn")) setTimeout(all)
  else document.addEventListener("worklets-drawn", all, { once: true })
}

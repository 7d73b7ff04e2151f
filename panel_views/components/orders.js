// What a view has the browser do that no component shows: go to another page.

const ORDERS = {
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
  document.addEventListener("worklets-told", ({ detail: { what, data } }) => ORDERS[what]?.(data))
  // A page that the browser kept as it was has lost its connection.
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload() })
}

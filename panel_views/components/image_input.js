// A picture by drop, dialog, paste or address. The browser sends the file to /api/files itself, so that it
// does not pass the websocket; the component's value is the file's address.
import { bytes, component, freshId, h, icon, safeSource, withTicket } from "./kit.js"
import { upload } from "./upload.js"

const CSS = `
  .column { display: flex; flex-direction: column; gap: 8px; height: 100%; }
  .zone { position: relative; flex: 1; min-height: 168px; border-radius: 12px; overflow: hidden; background: var(--sunken); }
  .drop { position: absolute; inset: 0; width: 100%; display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 6px;
    padding: 12px; border: 1.5px dashed var(--line-strong); border-radius: 12px; background: none; color: var(--muted); font-size: 13px; line-height: 18px;
    text-align: center; transition: border-color .15s, background .15s, color .15s; }
  .drop strong { color: var(--ink); font-weight: 550; font-size: 14px; }
  .drop .icon { width: 24px; height: 24px; margin-bottom: 2px; stroke-width: 1.5; }
  .drop:hover, .over .drop { border-color: var(--accent); background: var(--accent-soft); color: var(--ink); }
  .filled .drop { border-style: solid; border-color: var(--line); }
  .filled .drop > * { display: none; }
  img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: cover; pointer-events: none; }
  .busy img { opacity: .45; }
  .over.filled::after { content: "Drop to replace"; position: absolute; inset: 0; display: grid; place-items: center; background: var(--accent-soft);
    color: var(--ink); font-weight: 600; pointer-events: none; backdrop-filter: blur(4px); }
  .tools { position: absolute; top: 8px; right: 8px; display: flex; gap: 6px; }
  .tools button { display: grid; place-items: center; width: 32px; height: 32px; padding: 0; border: 0; border-radius: 9px; background: rgb(20 20 22 / .66);
    color: #fff; backdrop-filter: blur(6px); } .tools button:hover { background: rgb(20 20 22 / .85); } .tools .icon { width: 16px; height: 16px; }
  .meter { position: absolute; left: 12px; right: 12px; bottom: 12px; height: 4px; border-radius: 2px; background: var(--track); overflow: hidden; }
  .meter div { height: 100%; width: 0; background: var(--accent); transition: width .15s; }
  .meter.unknown div { width: 35%; animation: slide 1.2s ease-in-out infinite; }
  @keyframes slide { from { transform: translateX(-110%) } to { transform: translateX(310%) } }
  @media (hover: hover) { .tools { opacity: 0; transition: opacity .15s; } .zone:hover .tools, .zone:focus-within .tools { opacity: 1; } }
  .more { display: flex; align-items: center; gap: 8px; height: 36px; }
  .more .icon { width: 16px; height: 16px; }
  .example { flex: 0 1 36px; min-width: 0; aspect-ratio: 1; padding: 0; border: 0; border-radius: 9px; overflow: hidden; background: var(--sunken); }
  .example img { position: static; } .example:hover { box-shadow: 0 0 0 2px var(--surface), 0 0 0 3.5px var(--line-strong); }
  .example[aria-pressed="true"] { box-shadow: 0 0 0 2px var(--surface), 0 0 0 4px var(--accent); }
  .address { display: inline-flex; align-items: center; justify-content: center; gap: 6px; flex: 0 1 36px; min-width: 0; aspect-ratio: 1; padding: 0; border: 1px solid var(--line-strong);
    border-radius: 9px; background: var(--surface); color: var(--muted); font-size: 13px; } .address:hover { background: var(--sunken); color: var(--ink); }
  form { display: flex; gap: 6px; } form input { flex: 1; min-width: 0; height: 36px; padding: 0 10px; border: 1px solid var(--line-strong); border-radius: 9px;
    background: var(--surface); font-size: 13px; } form input:focus { outline: 0; border-color: var(--accent); box-shadow: 0 0 0 3px var(--accent-soft); }
  form button { height: 36px; padding: 0 12px; border: 0; border-radius: 9px; background: var(--accent); color: var(--on-accent); font-size: 13px; font-weight: 600; }
  @media (max-width: 719px) { .zone { flex: none; aspect-ratio: 1; min-height: 0; } .more { gap: 6px; } }
`

async function check(file, props) {
  const names = props.accept.map((type) => type.slice(6).toUpperCase()).join(", ")
  if (!props.accept.includes(file.type)) throw new Error(`This is no picture of a kind that is taken here (${names}).`)
  if (file.size > props.max_bytes) throw new Error(`The picture has ${bytes(file.size)}; at most ${bytes(props.max_bytes)} are taken.`)
  try {
    const bitmap = await createImageBitmap(file)
    bitmap.close()
  } catch {
    throw new Error("This file can't be opened as a picture; it may be damaged.")
  }
}

export default component(CSS, ({ root, send, ask }) => {
  let props = null
  let value = null
  let preview = null
  let attempt = 0
  let own = null // the fault found here; the server's comes in props.error
  let broken = false
  const samples = new Map() // example address -> the file that it became
  const id = freshId("image")

  const label = h("span", { class: "label", id })
  const help = h("span", { class: "help" })
  const file = h("input", { type: "file", hidden: true, tabindex: "-1" })
  const picture = h("img", { alt: "", hidden: true })
  const limits = h("span")
  const drop = h("button", { type: "button", class: "drop", "aria-labelledby": id, onclick: () => file.click() },
    icon("upload"), h("strong", { text: "Choose a picture" }), h("span", { text: "or drop or paste it here" }), limits)
  const tools = h("div", { class: "tools", hidden: true },
    h("button", { type: "button", title: "Replace", "aria-label": "Replace the picture", onclick: () => file.click() }, icon("swap")),
    h("button", { type: "button", title: "Remove", "aria-label": "Remove the picture", onclick: () => { choose(null); drop.focus() } }, icon("close")))
  const bar = h("div")
  const meter = h("div", { class: "meter", hidden: true, role: "progressbar", "aria-label": "Uploading" }, bar)
  const zone = h("div", { class: "zone" }, drop, picture, meter, tools)
  const examples = h("span", { style: "display: contents" })
  const open = h("button", { type: "button", class: "address", "aria-expanded": "false", title: "Use a web address",
    "aria-label": "Use a web address", onclick: () => showAddress(form.hidden) }, icon("link"))
  const more = h("div", { class: "more" }, examples, open)
  const address = h("input", { type: "url", placeholder: "https://…", "aria-label": "Address of the picture", spellcheck: "false" })
  const form = h("form", { hidden: true, novalidate: true }, address, h("button", { type: "submit", text: "Use" }))
  const fault = h("div", { class: "fault", role: "alert" })
  root.append(h("div", { class: "column" }, h("div", {}, label, help), zone, more, form, fault, file))

  function showAddress(shown) {
    form.hidden = !shown
    open.setAttribute("aria-expanded", shown)
    if (shown) address.focus()
  }

  function complain(text) {
    own = text
    paint()
  }

  function choose(next) {
    attempt += 1
    value = next
    preview = null
    broken = false
    meter.hidden = true
    own = null
    send("value", next)
    paint()
  }

  async function take(given) {
    const mine = ++attempt
    own = null
    try {
      await check(given, props)
      if (mine !== attempt) return
      preview = URL.createObjectURL(given)
      broken = false
      bar.style.width = "0"
      meter.classList.remove("unknown")
      meter.hidden = false
      paint()
      const stored = await upload(given, (part) => { if (mine === attempt) bar.style.width = `${part * 100}%` })
      if (mine === attempt) choose(stored)
    } catch (error) {
      if (mine !== attempt) return
      preview = null
      meter.hidden = true
      complain(error.message)
    }
  }

  // An example that lies on this server but not in the file store becomes a file of the user's own.
  async function takeExample(url) {
    if (!url.startsWith("/") || url.startsWith("/api/files/")) return choose(url)
    if (samples.get(url)) return choose(samples.get(url))
    attempt += 1
    const mine = attempt
    try {
      const answer = await fetch(withTicket(url))
      if (!answer.ok) throw new Error("The example is not there just now.")
      const blob = await answer.blob()
      if (mine !== attempt) return
      await take(new File([blob], url.split("/").pop(), { type: blob.type }))
      if (value?.startsWith("/api/files/")) { samples.set(url, value); paint() }
    } catch (error) {
      if (mine === attempt) complain(error.message)
    }
  }

  function fetchAddress(text) {
    const trimmed = text.trim()
    if (!/^https?:\/\/[^\s/]+/i.test(trimmed)) return complain("Enter an address that begins with https://.")
    own = null
    attempt += 1
    ask("import", trimmed)
  }

  function paint() {
    if (!props) return
    const source = preview ?? safeSource(value)
    const busy = !meter.hidden
    if (source && picture.getAttribute("src") !== source) picture.src = source
    picture.hidden = !source || broken
    zone.classList.toggle("filled", !!source && !broken)
    zone.classList.toggle("busy", busy)
    tools.hidden = !source || busy
    limits.textContent = `up to ${bytes(props.max_bytes)}`
    for (const button of examples.children) button.setAttribute("aria-pressed", String(value !== null && (samples.get(button.dataset.url) ?? button.dataset.url) === value))
    const text = own ?? props.error ?? (broken ? "The picture can't be shown; choose it again." : null)
    fault.replaceChildren(...(text ? [icon("warning"), h("span", { text })] : []))
    fault.hidden = !text
  }

  file.addEventListener("change", () => { if (file.files[0]) take(file.files[0]); file.value = "" })
  form.addEventListener("submit", (event) => { event.preventDefault(); fetchAddress(address.value) })
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") { showAddress(false); open.focus() } })
  drop.addEventListener("keydown", (event) => { if (value && (event.key === "Delete" || event.key === "Backspace")) choose(null) })
  picture.addEventListener("error", () => { broken = true; paint() })
  picture.addEventListener("load", () => { if (preview === null) broken = false })
  root.addEventListener("paste", (event) => {
    const pasted = [...(event.clipboardData?.files ?? [])][0]
    const text = event.clipboardData?.getData("text/plain") ?? ""
    if (pasted) { event.preventDefault(); take(pasted) }
    else if (event.target !== address && /^https?:/i.test(text.trim())) { event.preventDefault(); fetchAddress(text) }
  })
  let depth = 0
  zone.addEventListener("dragenter", (event) => { event.preventDefault(); depth += 1; zone.classList.add("over") })
  zone.addEventListener("dragover", (event) => { event.preventDefault(); event.dataTransfer.dropEffect = "copy" })
  zone.addEventListener("dragleave", () => { depth -= 1; if (depth <= 0) { depth = 0; zone.classList.remove("over") } })
  zone.addEventListener("drop", (event) => {
    event.preventDefault()
    depth = 0
    zone.classList.remove("over")
    const dropped = event.dataTransfer.files[0]
    const text = event.dataTransfer.getData("text/uri-list") || event.dataTransfer.getData("text/plain")
    if (dropped) take(dropped)
    else if (text) fetchAddress(text)
    else complain("Nothing that could be read was dropped.")
  })

  return (next, status) => {
    const fresh = props === null || JSON.stringify(next.examples) !== JSON.stringify(props.examples)
    const importing = status.value === "loading"
    if (props?.importing && !importing && !next.error) { showAddress(false); address.value = "" }
    if (next.value !== value && (props === null || next.value !== props.value)) {
      value = next.value
      preview = null
      broken = false
    }
    props = { ...next, importing }
    root.inert = next.disabled
    root.style.opacity = next.disabled ? .55 : ""
    if (importing) meter.classList.add("unknown")
    if (importing || preview === null) meter.hidden = !importing
    label.textContent = props.label
    help.textContent = props.help
    help.hidden = !props.help
    file.accept = props.accept.join(",")
    if (fresh) {
      examples.replaceChildren(...props.examples.map((example) => h("button", { type: "button", class: "example", title: example.label,
        "aria-label": `Example: ${example.label}`, "data-url": example.url, onclick: () => takeExample(example.url) },
        h("img", { src: safeSource(example.url), alt: "", onerror: (event) => event.target.closest("button").remove() }))))
    }
    paint()
  }
})

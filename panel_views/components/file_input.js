// Files by drop or dialog. The browser sends each to /api/files itself; the value is the list of what was stored.
import { field } from "./field.js"
import { bytes, h, icon, safeSource } from "./kit.js"
import { upload } from "./upload.js"

function fits(file, accept) {
  return !accept.length || accept.some((type) => type === file.type || (type.endsWith("/*") && file.type.startsWith(type.slice(0, -1))))
}

function refusal(file, props) {
  if (!fits(file, props.accept)) return `is of a kind that is not taken here (${props.accept.join(", ")})`
  if (file.size > props.max_bytes) return `has ${bytes(file.size)}; at most ${bytes(props.max_bytes)} are taken`
  return file.size ? null : "is empty"
}

export default field(`
  .drop { display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 4px; flex: 1; width: 100%; min-height: 104px; padding: 14px;
    border: 1.5px dashed var(--line-strong); border-radius: 12px; background: var(--sunken); color: var(--muted); font-size: 13px; line-height: 18px; text-align: center; }
  .drop strong { color: var(--ink); font-weight: 550; font-size: 14px; } .drop .icon { width: 24px; height: 24px; stroke-width: 1.5; }
  .drop:hover:enabled, .over .drop { border-color: var(--accent); background: var(--accent-soft); color: var(--ink); } .wrong .drop { border-color: var(--danger); }
  .zone { display: flex; flex: 1; } ul { margin: 8px 0 0; padding: 0; list-style: none; display: flex; flex-direction: column; gap: 6px; max-height: 220px; overflow: auto; } ul:empty { display: none; }
  li { position: relative; display: flex; align-items: center; gap: 10px; padding: 8px 8px 8px 12px; border: 1px solid var(--line); border-radius: 10px; background: var(--surface); overflow: hidden; }
  li > .icon { color: var(--muted); } li > div:first-of-type { flex: 1; min-width: 0; } .name { display: block; font-size: 14px; line-height: 20px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; color: inherit; text-decoration: none; }
  a.name:hover { text-decoration: underline; } .about { font-size: 12px; line-height: 16px; color: var(--muted); } .failed .about { color: var(--danger); }
  li button { display: grid; place-items: center; width: 30px; height: 30px; padding: 0; border: 0; border-radius: 8px; background: none; color: var(--muted); flex: none; } li button:hover { background: var(--sunken); color: var(--ink); }
  li button .icon { width: 16px; height: 16px; } .meter { position: absolute; left: 0; bottom: 0; height: 3px; background: var(--accent); transition: width .15s; }
`, ({ slot, send, complain }) => {
  let props = null
  let kept = []
  let under = [] // on their way, or refused: { file, part, fault, stop }
  const input = h("input", { type: "file", hidden: true, tabindex: "-1" })
  const words = h("strong")
  const limits = h("span")
  const drop = h("button", { type: "button", class: "drop", onclick: () => input.click() }, icon("upload"), words, limits)
  const zone = h("div", { class: "zone" }, drop)
  const list = h("ul", { "aria-live": "polite" })
  slot.append(zone, list, input)

  function row(name, about, { href, fault, part, onremove }) {
    const link = href ? h("a", { class: "name", href, download: name, text: name }) : h("span", { class: "name", text: name })
    const meter = part == null ? null : h("div", { class: "meter" })
    if (meter) meter.style.width = `${part * 100}%`
    return h("li", { class: fault ? "failed" : "" }, icon(fault ? "warning" : "file"), h("div", {}, link, h("div", { class: "about", text: about })),
      h("button", { type: "button", "aria-label": `Remove ${name}`, title: "Remove", onclick: onremove }, icon("close")), meter)
  }

  function paint() {
    const stored = kept.map((file, n) => row(file.name || "File", bytes(file.size), { href: safeSource(file.url),
      onremove: () => { kept = kept.filter((_, other) => other !== n); send("value", kept); paint() } }))
    const moving = under.map((one) => row(one.file.name, one.fault ?? `${Math.round(one.part * 100)} % of ${bytes(one.file.size)}`, { fault: one.fault,
      part: one.fault ? null : one.part, onremove: () => { one.stop.abort(); under = under.filter((other) => other !== one); paint() } }))
    list.replaceChildren(...stored, ...moving)
  }

  async function take(file) {
    const fault = refusal(file, props)
    const one = { file, part: 0, fault: fault && `This ${fault}.`, stop: new AbortController() }
    under.push(one)
    paint()
    if (fault) return
    try {
      const url = await upload(file, (part) => { one.part = part; paint() }, one.stop.signal)
      under = under.filter((other) => other !== one)
      const stored = { url, name: file.name.slice(0, 200), size: file.size, type: file.type.slice(0, 200) }
      kept = props.multiple ? [...kept, stored] : [stored]
      send("value", kept)
    } catch (error) {
      one.fault = error.message
    }
    paint()
  }

  function choose(files) {
    under = under.filter((one) => !one.fault)
    complain(null)
    const most = props.multiple ? props.max_files - kept.length - under.length : 1
    if (files.length > most) return complain(`At most ${props.multiple ? props.max_files : 1} can be given.`)
    for (const file of files) take(file)
  }

  input.addEventListener("change", () => { choose([...input.files]); input.value = "" })
  zone.addEventListener("dragover", (event) => { event.preventDefault(); if (!props.disabled) zone.classList.add("over") })
  zone.addEventListener("dragleave", () => zone.classList.remove("over"))
  zone.addEventListener("drop", (event) => {
    event.preventDefault()
    zone.classList.remove("over")
    if (!props.disabled) choose([...event.dataTransfer.files])
  })
  return (next) => {
    props = next
    kept = next.value ?? []
    input.multiple = next.multiple
    input.accept = next.accept.join(",")
    words.textContent = next.multiple ? "Choose files" : "Choose a file"
    limits.textContent = `or drop ${next.multiple ? "them" : "it"} here, up to ${bytes(next.max_bytes)}${next.multiple ? " each" : ""}`
    paint()
  }
}, { group: true, fill: true })

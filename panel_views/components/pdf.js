// A PDF by pdf.js, which is shipped beside this script. Pages are drawn when they come into sight; links do nothing.
import { component, h, icon, safeSource } from "./kit.js"
import { NOTES_CSS, noted } from "./notes.js"

const AROUND = "600px 0px" // how far outside of sight a page is drawn
let loading = null

function library() {
  loading ??= import(new URL("./pdf.min.mjs", import.meta.url).href).then((pdfjs) => {
    pdfjs.GlobalWorkerOptions.workerSrc = new URL("./pdf.worker.min.mjs", import.meta.url).href
    return pdfjs
  })
  return loading
}

export default component(NOTES_CSS + `
  .frame { display: flex; flex-direction: column; height: 100%; min-height: 0; border: 1px solid var(--line); border-radius: 12px; overflow: hidden; background: var(--sunken); }
  .bar { display: flex; align-items: center; gap: 4px; padding: 5px 8px 5px 16px; border-bottom: 1px solid var(--line); background: var(--surface); } .bar .label { flex: 1; min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .bar output { color: var(--muted); font-size: 13px; font-variant-numeric: tabular-nums; padding: 0 6px; white-space: nowrap; }
  .bar :is(button, a) { display: grid; place-items: center; width: 32px; height: 32px; padding: 0; border: 0; border-radius: 8px; background: none; color: var(--muted); } .bar :is(button, a):hover { background: var(--sunken); color: var(--ink); } .bar .icon { width: 17px; height: 17px; }
  .pages { flex: 1; min-height: 0; overflow: auto; padding: 16px; display: flex; flex-direction: column; align-items: safe center; gap: 14px; } .pages:focus-visible { outline-offset: -2px; }
  .page { position: relative; flex: none; background: #fff; box-shadow: 0 1px 3px rgb(0 0 0 / .22); color-scheme: light; } canvas { display: block; width: 100%; height: 100%; }
  .text { position: absolute; inset: 0; overflow: clip; line-height: 1; text-align: initial; forced-color-adjust: none; }
  .text :is(span, br) { position: absolute; color: transparent; white-space: pre; cursor: text; transform-origin: 0 0; --min-font-size: 1; --text-scale-factor: calc(var(--total-scale-factor) * var(--min-font-size));
    font-size: calc(var(--text-scale-factor) * var(--font-height)); transform: rotate(var(--rotate, 0deg)) scaleX(var(--scale-x, 1)); }
  .text ::selection { background: rgb(52 87 213 / .3); }
`, ({ root }) => {
  let shown = null
  let book = null
  let zoom = 1
  let generation = 0 // of the pages as they are laid out
  let opening = 0 // of the document
  let last = null
  let fault = null
  const label = h("span", { class: "label" })
  const where = h("output", { "aria-live": "off" })
  const save = h("a", { "aria-label": "Download", title: "Download" }, icon("download"))
  const closer = (by) => { zoom = Math.min(4, Math.max(0.4, zoom * by)); lay() }
  const bar = h("div", { class: "bar" }, label, where, h("button", { type: "button", "aria-label": "Smaller", onclick: () => closer(0.8) }, icon("minus")),
    h("button", { type: "button", "aria-label": "Larger", onclick: () => closer(1.25) }, icon("plus")), save)
  const pages = h("div", { class: "pages", tabindex: "0", role: "document" })
  const { note, tell } = noted("file")
  root.append(h("div", { class: "frame" }, bar, pages, note))

  async function draw(box, number, scale, mine) {
    const pdfjs = await library()
    const page = await book.getPage(number)
    const viewport = page.getViewport({ scale })
    const sharp = Math.min(devicePixelRatio || 1, 2)
    const canvas = h("canvas", { width: Math.floor(viewport.width * sharp), height: Math.floor(viewport.height * sharp) })
    await page.render({ canvas, canvasContext: canvas.getContext("2d"), viewport, transform: sharp === 1 ? null : [sharp, 0, 0, sharp, 0, 0] }).promise
    if (mine !== generation) return
    const text = h("div", { class: "text" })
    box.style.setProperty("--total-scale-factor", scale)
    box.replaceChildren(canvas, text)
    await new pdfjs.TextLayer({ textContentSource: page.streamTextContent(), container: text, viewport }).render()
  }

  let seen = null
  async function lay() {
    generation += 1
    const mine = generation
    seen?.disconnect()
    if (!book || !pages.clientWidth) return
    const sizes = []
    for (let n = 1; n <= book.numPages; n += 1) sizes.push(n <= 20 ? (await book.getPage(n)).getViewport({ scale: 1 }) : sizes[0])
    if (mine !== generation) return
    seen = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting || target.dataset.drawn) continue
        target.dataset.drawn = "yes"
        draw(target, Number(target.dataset.page), Number(target.dataset.scale), mine).catch(() => delete target.dataset.drawn)
      }
    }, { root: pages, rootMargin: AROUND })
    pages.replaceChildren(...sizes.map(({ width, height }, n) => {
      const scale = (Math.min(pages.clientWidth - 32, 1000) / width) * zoom
      const box = h("div", { class: "page", "data-page": n + 1, "data-scale": scale, role: "img", "aria-label": `Page ${n + 1}` })
      box.style.width = `${width * scale}px`
      box.style.height = `${height * scale}px`
      seen.observe(box)
      return box
    }))
    tally()
  }

  function tally() {
    const boxes = [...pages.children]
    const at = boxes.findIndex((box) => box.offsetTop + box.offsetHeight > pages.scrollTop + pages.offsetTop + 40)
    where.textContent = book ? `${Math.max(0, at) + 1} of ${book.numPages}` : ""
  }
  pages.addEventListener("scroll", tally)

  async function open(address) {
    const mine = ++opening
    generation += 1
    book?.loadingTask?.destroy()
    book = null
    fault = null
    pages.replaceChildren()
    try {
      const pdfjs = await library()
      const opened = await pdfjs.getDocument({ url: address, isEvalSupported: false, enableXfa: false, stopAtErrors: false }).promise
      if (mine !== opening) return
      book = opened
      await lay()
    } catch (error) {
      if (mine !== opening) return
      fault = error.name === "PasswordException" ? "This PDF has a password; download it to open it." : error.name === "InvalidPDFException" ? "This file is no PDF, or it is damaged." : "This PDF can't be read."
    }
    paint()
  }

  function paint() {
    const [props, status] = last
    const failed = status.source === "error" || fault
    const hidden = tell({ status: failed ? "error" : status.source, fault: props.fault ?? fault, filled: Boolean(shown), empty: props.empty })
    pages.hidden = hidden
    bar.hidden = hidden && !shown
  }

  let width = 0
  new ResizeObserver(() => { if (Math.abs(pages.clientWidth - width) > 8) { width = pages.clientWidth; lay() } }).observe(pages)
  return (props, status) => {
    last = [props, status]
    const source = safeSource(props.source)
    label.textContent = props.label
    pages.setAttribute("aria-label", props.label || "PDF")
    if (source) Object.assign(save, { href: source, download: props.download_name })
    if (source !== shown) {
      shown = source
      if (source) open(source)
      else { opening += 1; generation += 1; book = null; pages.replaceChildren() }
    }
    paint()
  }
})

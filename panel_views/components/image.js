import { component, h, icon, safeSource } from "./kit.js"

export default component(`
  .column { display: flex; flex-direction: column; gap: 12px; height: 100%; min-height: 260px; }
  .frame { position: relative; flex: 1; min-height: 0; border-radius: 12px; background: var(--sunken); overflow: hidden; display: grid; place-items: center;
    container-type: size; }
  .shown .frame { background: none; }
  img { position: absolute; inset: 0; margin: auto; width: min(100cqw, 100cqh * var(--ratio, 1)); aspect-ratio: var(--ratio, 1); border-radius: 12px;
    transition: opacity .25s, filter .25s; }
  .busy img { opacity: .35; filter: saturate(.4); }
  .busy .frame::after { content: ""; position: absolute; inset: 0; background: linear-gradient(100deg, transparent 35%, var(--gleam) 50%, transparent 65%);
    background-size: 220% 100%; animation: shimmer 1.6s linear infinite; }
  .note { position: relative; z-index: 1; display: flex; flex-direction: column; align-items: center; gap: 10px; max-width: 34ch; padding: 16px; color: var(--muted);
    text-align: center; font-size: 14px; }
  .note .icon { width: 32px; height: 32px; stroke-width: 1.25; opacity: .7; }
  .busy .note { padding: 8px 14px; border-radius: 99px; background: var(--surface); color: var(--ink); box-shadow: var(--shadow); }
  .busy .note .icon { display: none; }
  .foot { display: flex; align-items: center; justify-content: space-between; gap: 12px; min-height: 36px; }
  .caption { color: var(--muted); font-size: 13px; line-height: 18px; overflow-wrap: anywhere; }
  a { display: inline-flex; align-items: center; gap: 8px; flex: none; padding: 7px 14px; border: 1px solid var(--line-strong); border-radius: 10px;
    color: inherit; text-decoration: none; font-size: 14px; font-weight: 550; background: var(--surface); }
  a:hover { background: var(--sunken); } a .icon { width: 16px; height: 16px; }
  @media (max-width: 719px) { .column { min-height: 0; } .frame { flex: none; aspect-ratio: 1; } .shown .frame { aspect-ratio: var(--ratio, 1); } }
`, ({ root }) => {
  const picture = h("img", { hidden: true })
  const words = h("span")
  const note = h("div", { class: "note" }, icon("image"), words)
  const caption = h("div", { class: "caption" })
  const link = h("a", {}, icon("download"), "Download")
  const foot = h("div", { class: "foot" }, caption, link)
  const box = h("div", { class: "column" }, h("div", { class: "frame" }, picture, note), foot)
  root.append(box)
  let failed = false
  let last = null
  let paint = () => {}
  picture.addEventListener("load", () => {
    box.style.setProperty("--ratio", picture.naturalWidth / picture.naturalHeight || 1)
    box.classList.add("shown")
  })
  picture.addEventListener("error", () => { failed = true; paint() })
  return (props, status) => {
    paint = () => {
      const source = safeSource(props.source)
      if (source !== last) { failed = false; last = source }
      const busy = status.source === "loading"
      box.classList.toggle("busy", busy)
      box.setAttribute("aria-busy", busy)
      if (source && picture.getAttribute("src") !== source) picture.src = source
      picture.alt = props.alt
      picture.hidden = !source || failed
      words.textContent = busy ? props.loading_label : failed ? "The picture can't be shown; it may have been removed." : props.placeholder
      box.classList.toggle("shown", !picture.hidden && picture.complete && picture.naturalWidth > 0)
      note.hidden = !busy && !picture.hidden
      const done = source && !failed && !busy
      caption.textContent = props.caption ?? ""
      // Its room stays while the next picture is made, so that nothing jumps.
      foot.hidden = !source || failed
      foot.style.visibility = done ? "" : "hidden"
      if (done) { link.href = source; link.download = props.download_name }
    }
    paint()
  }
})

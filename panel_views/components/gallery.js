import { component, h, icon, safeSource } from "./kit.js"

const MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d/

function readable(caption) {
  if (!MOMENT.test(caption)) return caption
  const moment = new Date(caption)
  return Number.isNaN(moment.valueOf()) ? caption
    : new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(moment)
}

export default component(`
  ul { display: grid; grid-template-columns: repeat(auto-fill, minmax(124px, 1fr)); gap: 12px; margin: 0; padding: 0; list-style: none; }
  button { display: block; width: 100%; padding: 0; border: 0; background: none; text-align: left; border-radius: 12px; }
  .frame { display: block; aspect-ratio: 1; border-radius: 12px; overflow: hidden; background: var(--sunken); border: 1px solid var(--line); }
  img { width: 100%; height: 100%; object-fit: cover; display: block; transition: transform .25s; }
  button:hover img { transform: scale(1.03); }
  button[aria-pressed="true"] .frame { box-shadow: 0 0 0 2px var(--surface), 0 0 0 4px var(--accent); }
  .caption { display: block; margin-top: 6px; color: var(--muted); font-size: 12px; line-height: 16px; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
  .blank .frame { background: linear-gradient(100deg, var(--sunken) 35%, var(--line) 50%, var(--sunken) 65%); background-size: 220% 100%; animation: shimmer 1.6s linear infinite; }
  .note { display: flex; align-items: center; gap: 12px; padding: 24px; border-radius: 12px; background: var(--sunken); color: var(--muted); font-size: 14px; }
  .note .icon { width: 24px; height: 24px; stroke-width: 1.4; }
  @media (max-width: 719px) { ul { grid-template-columns: repeat(3, 1fr); gap: 8px; } .caption { display: none; } }
`, ({ root, emit }) => {
  const list = h("ul", { "aria-label": "Earlier results" })
  const words = h("span")
  const note = h("div", { class: "note" }, icon("image"), words)
  root.append(list, note)
  let selected = null
  const tile = (item) => {
    const source = safeSource(item.image)
    const caption = item.caption ? readable(item.caption) : ""
    const picture = source ? h("img", { src: source, alt: caption ? `Result of ${caption}` : "Earlier result", loading: "lazy", decoding: "async" }) : null
    const press = () => {
      selected = item.key
      for (const other of list.querySelectorAll("button")) other.setAttribute("aria-pressed", other === button)
      emit("select", item.index)
    }
    const button = h("button", { type: "button", "aria-pressed": String(item.key === selected), onclick: press },
      h("span", { class: "frame" }, picture), caption ? h("span", { class: "caption", text: caption }) : null)
    return h("li", {}, button)
  }
  return (props, status) => {
    const items = props.tiles ?? []
    const waiting = status.items === "loading" && !items.length
    const blank = () => h("li", { class: "blank", "aria-hidden": "true" }, h("span", { class: "frame" }))
    list.replaceChildren(...(waiting ? Array.from({ length: 6 }, blank) : items.map(tile)))
    list.hidden = !waiting && !items.length
    note.hidden = waiting || items.length > 0
    words.textContent = status.items === "error" ? props.fault ?? "The list can't be read just now." : props.empty
  }
})

export const css = `
  .stars { display: flex; flex-wrap: wrap; gap: 2px; }
  .stars button { padding: 2px 4px; border: 0; border-radius: 8px; background: none; color: var(--muted); font-size: 30px; line-height: 1; }
  .stars button[aria-pressed=true] { color: var(--accent); }
`

export default ({ root, h, send }) => {
  const stars = h("div", { class: "stars", role: "group" })
  root.append(stars)

  // Called for the first time at once, and again whenever a property has changed.
  return ({ value, most, label }) => {
    while (stars.children.length > most) stars.lastChild.remove()
    while (stars.children.length < most) {
      const count = stars.children.length + 1
      stars.append(h("button", { type: "button", "aria-label": `${count} of ${most}`, onclick: () => send(count) }))
    }
    stars.setAttribute("aria-label", label || "Stars")
    for (const [n, star] of [...stars.children].entries()) {
      star.textContent = n < value ? "★" : "☆"
      star.setAttribute("aria-pressed", n < value)
    }
  }
}

export const css = `
  .stars { display: flex; flex-wrap: wrap; gap: 2px; }
  .stars button { padding: 2px 4px; border: 0; border-radius: 8px; background: none; color: var(--muted); font-size: 30px; line-height: 1; }
  .stars button[data-full] { color: var(--accent); }
`

export default ({ root, h, send, give, fire }) => {
  const stars = h("div", { class: "stars", role: "group" })
  root.append(stars)

  function press(count) {
    send(count)
    fire("rated", { stars: count, share: count / stars.children.length })
  }

  function made(count) {
    const star = h("button", { type: "button", "aria-label": String(count), onclick: () => press(count) })
    star.addEventListener("pointerenter", () => give("hovered", count))
    star.addEventListener("pointerleave", () => give("hovered", 0))
    return star
  }

  // Called for the first time at once, and again whenever a property has changed.
  return ({ value, most, hovered, label }) => {
    while (stars.children.length > most) stars.lastChild.remove()
    while (stars.children.length < most) stars.append(made(stars.children.length + 1))
    stars.setAttribute("aria-label", label || "Stars")
    for (const [n, star] of [...stars.children].entries()) {
      star.toggleAttribute("data-full", n < (hovered || value))
      star.textContent = n < (hovered || value) ? "★" : "☆"
      star.setAttribute("aria-pressed", n < value)
    }
  }
}

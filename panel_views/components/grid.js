// The page, and the containers that only hold: a card and a plain group.
import { component, EDITED, h } from "./kit.js"
import { tabId } from "./tab.js"
import { heading, SURFACE_CSS, tracks, TRACKS_CSS } from "./tracks.js"

const LOOKS = { page: "page", card: "surface card inner", container: "group inner" }

export default component(TRACKS_CSS + SURFACE_CSS + `
  .group { height: 100%; margin-bottom: calc(-1 * var(--gap)); }
`, ({ root, model, listen }) => {
  const { head, name } = heading()
  const kind = model.props.kind
  if (kind === "page") {
    listen(({ what, data }) => document.dispatchEvent(new CustomEvent("worklets-told", { detail: { what, data } })))
    const tab = EDITED ? null : tabId()
    if (tab) model.send_msg({ tab })
  }
  root.append(h(kind === "page" ? "div" : "section", { class: LOOKS[kind] }, head, tracks(model)))
  return (props) => name(props)
})

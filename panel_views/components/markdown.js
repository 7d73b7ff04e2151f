import { component } from "./kit.js"
import { PROSE_CSS, prose } from "./prose.js"

export default component(PROSE_CSS, ({ root }) => (props) => root.replaceChildren(prose(props.html)))

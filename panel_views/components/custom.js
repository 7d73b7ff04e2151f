// A component that an author wrote: loads its script, hands it what it needs, and stands in for it where it fails.
import { component, h, icon, withTicket } from "./kit.js"
import { NOTES_CSS, noted } from "./notes.js"

export default component(NOTES_CSS + `
  .around { display: flex; flex-direction: column; gap: 6px; height: 100%; min-height: 0; }
  .own { flex: 1; min-height: 0; min-width: 0; overflow: auto; margin: -4px; padding: 4px; }
`, ({ root, send, emit }) => {
  let wanted = null // the script's address
  let draw = null // what the script gave to draw with
  let broken = null
  let last = null
  const label = h("div", { class: "label" })
  const own = h("div", { class: "own" })
  const { note, tell } = noted("box")
  root.append(h("div", { class: "around" }, label, own, note))

  function fail(what, error) {
    draw = null
    broken = `${last[0].title ?? "This component"} ${what}: ${String(error?.message ?? error).slice(0, 300)}`
    own.replaceChildren()
    console.error(error?.stack ?? broken)
  }

  // The server refuses what is not declared; here the script's author hears of it.
  function passes(sort, name) {
    const known = last[0][sort] ?? []
    if (!known.includes(name)) console.error(`${last[0].title}: its class declares no ${JSON.stringify(name)} in \`${sort}\`; there is ${known.join(", ") || "nothing"}`)
    return known.includes(name) && !last[0].disabled
  }

  const give = (name, value) => { if (passes("gives", name)) send(name, value) }
  const fire = (name, brings = null) => { if (passes("fires", name)) emit(name, brings) }

  async function load(address) {
    try {
      const script = await import(address)
      if (address !== wanted) return
      if (typeof script.default !== "function") throw new Error("its script's default export is no function")
      if (typeof script.css === "string") {
        const sheet = new CSSStyleSheet()
        sheet.replaceSync(script.css)
        const shadow = root.getRootNode()
        shadow.adoptedStyleSheets = [...shadow.adoptedStyleSheets, sheet]
      }
      const made = script.default({ root: own, h, icon, address: withTicket, send: (value) => give("value", value), give, fire })
      if (typeof made !== "function") throw new Error("its script's function returns none that draws")
      draw = made
    } catch (error) {
      if (address !== wanted) return
      fail("could not be loaded", error)
    }
    paint()
  }

  function paint() {
    const [props, status] = last
    const stands = Object.entries(status).filter(([name]) => name !== "label" && name !== "disabled").map(([, each]) => each)
    const failed = stands.includes("error") || props.fault || broken
    if (draw && !failed) {
      try {
        draw({ ...props.own, label: props.label, disabled: props.disabled }, stands.includes("loading") ? "loading" : "ready")
      } catch (error) {
        fail("could not be drawn", error)
      }
    }
    label.textContent = props.label ?? ""
    label.hidden = !props.label
    own.hidden = tell({
      status: failed || broken ? "error" : draw ? "ready" : "loading",
      fault: props.fault ?? broken,
      filled: Boolean(draw),
      empty: "",
    })
    own.inert = Boolean(props.disabled)
  }

  return (props, status) => {
    last = [props, status]
    if (props.script && props.script !== wanted) {
      wanted = props.script
      draw = null
      broken = null
      own.replaceChildren()
      load(wanted)
    }
    paint()
  }
})

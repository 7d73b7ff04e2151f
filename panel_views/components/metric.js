import { component, h } from "./kit.js"

const SVG = "http://www.w3.org/2000/svg"

// The trend as a line in a box of 100 by 28; gaps where there is no number.
function path(trend) {
  const known = trend.filter((value) => typeof value === "number" && Number.isFinite(value))
  if (known.length < 2) return ""
  const low = Math.min(...known)
  const span = Math.max(...known) - low || 1
  let pen = "M"
  return trend.map((value, n) => {
    if (typeof value !== "number" || !Number.isFinite(value)) { pen = "M"; return "" }
    const step = `${pen}${(n / (trend.length - 1) * 100).toFixed(2)} ${(26 - (value - low) / span * 24).toFixed(2)}`
    pen = "L"
    return step
  }).join("")
}

export default component(`
  .tile { display: flex; flex-direction: column; gap: 2px; } svg { margin-top: 6px; }
  .label { color: var(--muted); font-weight: 500; } .row { display: flex; align-items: baseline; flex-wrap: wrap; column-gap: 10px; }
  .value { font-size: 30px; line-height: 38px; font-weight: 650; letter-spacing: -0.022em; font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
  .unit { margin-left: 4px; font-size: 16px; font-weight: 500; color: var(--muted); letter-spacing: 0; }
  .change { font-size: 13px; line-height: 20px; font-weight: 600; font-variant-numeric: tabular-nums; color: var(--muted); white-space: nowrap; }
  .well { color: var(--success); } .badly { color: var(--danger); }
  svg { width: 100%; height: 28px; overflow: visible; } path { fill: none; stroke: var(--accent); stroke-width: 1.75; vector-effect: non-scaling-stroke; stroke-linejoin: round; }
  .blank { color: transparent; border-radius: 8px; background: linear-gradient(100deg, var(--sunken) 35%, var(--line) 50%, var(--sunken) 65%); background-size: 220% 100%;
    animation: shimmer 1.6s linear infinite; width: 5em; }
`, ({ root }) => {
  const label = h("div", { class: "label" })
  const number = h("span")
  const unit = h("span", { class: "unit" })
  const value = h("div", { class: "value" }, number, unit)
  const change = h("span", { class: "change" })
  const help = h("div", { class: "help" })
  const line = document.createElementNS(SVG, "path")
  const trend = document.createElementNS(SVG, "svg")
  trend.setAttribute("viewBox", "0 0 100 28")
  trend.setAttribute("preserveAspectRatio", "none")
  trend.setAttribute("aria-hidden", "true")
  trend.append(line)
  root.append(h("div", { class: "tile" }, label, h("div", { class: "row" }, value, change), trend, help))
  const written = (given, decimals, always) => {
    if (typeof given !== "number") return given == null ? "—" : String(given)
    if (!Number.isFinite(given)) return "—"
    const places = decimals == null ? { maximumFractionDigits: 2 } : { minimumFractionDigits: decimals, maximumFractionDigits: decimals }
    return new Intl.NumberFormat(undefined, { ...places, signDisplay: always ? "exceptZero" : "auto" }).format(given)
  }
  return (props, status) => {
    const waiting = status.value === "loading" && props.value == null
    label.textContent = props.label
    number.textContent = waiting ? "0" : status.value === "error" ? "—" : written(props.value, props.decimals)
    value.classList.toggle("blank", waiting)
    unit.textContent = props.unit
    unit.hidden = !props.unit || waiting || props.value == null
    const moved = typeof props.change === "number" && Number.isFinite(props.change)
    const better = props.good === "neither" || !props.change ? null : (props.change > 0) === (props.good === "up")
    change.hidden = !moved
    change.className = `change ${better == null ? "" : better ? "well" : "badly"}`
    change.textContent = moved ? `${props.change > 0 ? "▲ " : props.change < 0 ? "▼ " : ""}${written(props.change, null, true)}${props.change_unit}` : ""
    const drawn = path(props.trend ?? [])
    line.setAttribute("d", drawn)
    trend.toggleAttribute("hidden", !drawn)
    help.textContent = status.value === "error" ? props.fault ?? "This can't be read just now." : props.help
    help.hidden = !help.textContent
  }
})

// A chart by ECharts, which comes from our own origin. Tooltips are drawn on the canvas, so no text becomes HTML.
import { colours, component, h, isDark, onMode } from "./kit.js"
import { NOTES_CSS, noted } from "./notes.js"

const COLOURS = {
  light: ["#3457d5", "#d1693a", "#2c8a65", "#8f4bb5", "#b8901c", "#c23d66", "#2b8ca3", "#6b7280"],
  dark: ["#86a1f5", "#eb9a6d", "#6cc7a0", "#c194e0", "#dcbb5c", "#ec85a6", "#72c3d8", "#a3aab5"],
}
let loading = null

function library(address) {
  loading ??= new Promise((resolve, reject) => {
    if (globalThis.echarts) return resolve(globalThis.echarts)
    document.head.append(h("script", { src: address, onload: () => resolve(globalThis.echarts), onerror: () => { loading = null; reject() } }))
  })
  return loading
}

const short = (value) => typeof value === "number" ? new Intl.NumberFormat(undefined, { maximumSignificantDigits: 5 }).format(value) : String(value)

function axes(props, ink) {
  const data = props.data
  const line = { axisLine: { lineStyle: { color: ink.line } }, axisTick: { show: false }, axisLabel: { color: ink.muted, hideOverlap: true }, splitLine: { lineStyle: { color: ink.line } },
    nameTextStyle: { color: ink.muted }, nameLocation: "middle" }
  const kind = { bins: "value", grid: "category" }[data.x_type] ?? data.x_type
  const x = { ...line, type: kind, name: props.x_title, nameGap: 28, splitLine: { show: false }, scale: true }
  const y = { ...line, type: "value", name: props.y_title, nameGap: 36, axisLine: { show: false }, scale: props.kind === "scatter" || props.kind === "line" }
  if (data.x_type === "bins") Object.assign(x, { min: data.edges[0], max: data.edges.at(-1), axisLabel: { ...line.axisLabel, formatter: short } })
  if (data.x_type === "category") x.data = [...new Set(data.series.flatMap((one) => one.points.map((point) => point[0])))]
  if (data.x_type === "grid") return [{ ...x, data: data.columns, scale: undefined }, { ...y, type: "category", data: data.lines, splitLine: { show: false } }]
  return [x, y]
}

function drawn(props, ink) {
  const { kind, data } = props
  const stack = props.stacked && kind !== "scatter" ? "all" : undefined
  const base = (one) => ({ name: one.name, data: one.points, stack, encode: { x: 0, y: 1 } })
  if (kind === "heatmap") return data.series.map((one) => ({ ...base(one), type: "heatmap", stack: undefined, itemStyle: { borderColor: ink.surface, borderWidth: 2, borderRadius: 3 }, encode: { x: 0, y: 1, value: 2 } }))
  if (kind === "scatter") return data.series.map((one) => ({ ...base(one), type: "scatter", symbolSize: 8, itemStyle: { opacity: .75 }, large: one.points.length > 4000 }))
  if (kind === "bar") return data.series.map((one) => ({ ...base(one), type: "bar", barMaxWidth: 42, itemStyle: { borderRadius: stack ? 0 : [4, 4, 0, 0] } }))
  if (kind === "histogram") {
    const width = data.edges[1] - data.edges[0]
    return data.series.map((one) => ({ name: one.name, type: "bar", stack: "all", barWidth: "97%", barGap: "-100%", itemStyle: { opacity: .9, borderRadius: 2 }, data: one.points.map(([edge, amount, n]) => [edge + width / 2, amount, n]) }))
  }
  return data.series.map((one) => ({ ...base(one), type: "line", showSymbol: one.points.length <= 60, symbolSize: 6, sampling: "lttb", lineStyle: { width: 2 },
    areaStyle: kind === "area" ? { opacity: .16 } : undefined, connectNulls: false }))
}

function option(props, ink, mode) {
  const { data, kind } = props
  const [xAxis, yAxis] = axes(props, ink)
  const many = data.series.length > 1
  const tooltip = { renderMode: "richText", trigger: kind === "line" || kind === "area" || kind === "bar" ? "axis" : "item", confine: true, backgroundColor: ink.surface, borderColor: ink.line, textStyle: { color: ink.ink, fontSize: 13 } }
  if (tooltip.trigger === "item") {
    tooltip.formatter = ({ seriesName, value }) => kind === "heatmap" ? `${data.columns[value[0]]} · ${data.lines[value[1]]}\n${short(value[2])}`
      : kind === "histogram" ? `${short(data.edges[value[2]])} to ${short(data.edges[value[2] + 1])}\n${short(value[1])}` : `${seriesName}\n${short(value[0])}, ${short(value[1])}`
  } else tooltip.valueFormatter = (value) => value == null ? "–" : short(value)
  return {
    color: [ink.accent, ...COLOURS[mode].slice(1)], backgroundColor: "transparent", animationDuration: 300, textStyle: { fontFamily: ink.font, color: ink.ink },
    aria: { enabled: true }, tooltip, xAxis, yAxis, series: drawn(props, ink),
    grid: { left: props.y_title ? 34 : 8, right: kind === "heatmap" ? 60 : 14, top: many ? 36 : 12, bottom: (props.x_title ? 30 : 10) + (props.zoom ? 40 : 0), containLabel: true },
    legend: many ? { type: "scroll", top: 0, left: 0, icon: "roundRect", itemWidth: 12, itemHeight: 8, textStyle: { color: ink.muted }, pageTextStyle: { color: ink.muted } } : undefined,
    dataZoom: props.zoom ? [{ type: "inside" }, { type: "slider", height: 22, bottom: 6, borderColor: ink.line, textStyle: { color: ink.muted } }] : undefined,
    visualMap: kind === "heatmap" ? { dimension: 2, min: data.range[0], max: data.range[1], right: 0, top: "middle", itemHeight: 110, itemWidth: 12, calculable: false, formatter: short,
      textStyle: { color: ink.muted }, inRange: { color: mode === "dark" ? ["#23283a", "#3f5aa8", "#9db4ff"] : ["#eaf0fd", "#7f9bea", "#1f3a9e"] } } : undefined,
  }
}

export default component(NOTES_CSS + `
  .frame { display: flex; flex-direction: column; height: 100%; min-height: 220px; gap: 6px; } .plot { flex: 1; min-height: 0; }
`, ({ root, emit }) => {
  let props = null
  let status = {}
  let chart = null
  const label = h("div", { class: "label" })
  const help = h("div", { class: "help" })
  const plot = h("div", { class: "plot", role: "img" })
  const remark = h("div", { class: "help" })
  const { note, tell } = noted("chart")
  root.append(h("div", { class: "frame" }, label, help, plot, note, remark))

  function paint() {
    if (chart === null || !props) return
    const ink = { ...colours(root, ["ink", "muted", "line", "surface", "accent"]), font: getComputedStyle(root).fontFamily }
    if (props.data.series.length) chart.setOption(option(props, ink, isDark(root) ? "dark" : "light"), { notMerge: true })
    else chart.clear()
  }

  async function begin() {
    try {
      const echarts = await library(props.library)
      if (chart !== null || !plot.clientWidth) return
      chart = echarts.init(plot, null, { renderer: "canvas" })
      chart.on("click", ({ value, seriesName }) => { if (Array.isArray(value)) emit("pick", { index: value.at(-1), series: seriesName }) })
      paint()
    } catch {
      tell({ status: "error", fault: "The chart's script can't be loaded; reload the page.", filled: false })
    }
  }

  new ResizeObserver(() => { if (chart) chart.resize(); else if (props?.data.series.length) begin() }).observe(plot)
  onMode(paint)
  return (next, state) => {
    const same = props && JSON.stringify(next) === JSON.stringify(props)
    props = next
    status = state
    label.textContent = props.label
    label.hidden = !props.label
    help.textContent = props.help
    help.hidden = !props.help
    plot.setAttribute("aria-label", props.label || "Chart")
    const filled = props.data.series.length > 0
    plot.hidden = tell({ status: status.rows, fault: props.fault, filled, empty: props.data.note || props.empty })
    remark.textContent = filled ? props.data.note : ""
    remark.hidden = !remark.textContent
    if (!same && filled) { if (chart) paint(); else begin() }
  }
})

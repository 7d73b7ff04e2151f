// The list of models: what each has answered of late, and finding one.
"use strict";

const modelTable = document.querySelector("[data-models]");
const modelRows = [...modelTable.querySelectorAll("[data-model]")];
const PAUSE = 5000;

function seconds(value) {
  if (value === null) return "—";
  return value < 0.001 ? `${Math.round(value * 1e6)} µs` : value < 1 ? `${Number((value * 1000).toPrecision(2))} ms` : `${Number(value.toPrecision(2))} s`;
}

// Thirty bars of twenty seconds; the newest stands at the right.
function spark(svg, answered) {
  const bars = Array.from({ length: 30 }, (_, at) => answered.slice(Math.max(0, answered.length - 4 * (30 - at)), Math.max(0, answered.length - 4 * (29 - at))).reduce((a, b) => a + b, 0));
  const most = Math.max(...bars, 1);
  svg.replaceChildren(
    ...bars.map((count, at) => {
      const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
      const height = count ? Math.max(1.5, (count / most) * 15) : 0;
      for (const [key, value] of Object.entries({ x: at * 2, y: 16 - height, width: 1.4, height })) bar.setAttribute(key, value);
      return bar;
    }),
  );
}

function show(row, found) {
  const calls = found.answered.reduce((a, b) => a + b, 0);
  row.querySelector("[data-calls]").textContent = String(calls);
  row.querySelector("[data-takes]").textContent = seconds(found.p50);
  const failed = row.querySelector("[data-failed]");
  failed.textContent = String(found.failed + found.refused);
  failed.title = `${found.failed} failed, ${found.refused} with input that did not fit`;
  failed.classList.toggle("fault", found.failed > 0);
  const drifted = row.querySelector("[data-drifted]");
  drifted.hidden = !found.drifted;
  drifted.textContent = `${found.drifted} drifted`;
  spark(row.querySelector(".spark"), found.answered);
}

async function look() {
  const state = document.querySelector("[data-models-state]");
  try {
    const response = await fetch("/api/pulse");
    if (!response.ok) throw new Error(await problemText(response));
    const { models } = await response.json();
    for (const row of modelRows) if (models[row.dataset.model]) show(row, models[row.dataset.model]);
    state.textContent = "";
  } catch (error) {
    state.textContent = ` Not up to date: ${error.message}`;
  }
}

document.querySelector("[data-find]")?.addEventListener("input", (event) => {
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of modelRows) row.hidden = !words.every((word) => row.dataset.words.includes(word));
  document.querySelector("[data-none]").hidden = modelRows.some((row) => !row.hidden);
});
look();
setInterval(() => document.visibilityState === "visible" && look(), PAUSE);

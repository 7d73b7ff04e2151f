// How a model is doing: three small charts and its log, asked for anew every few seconds while the page is seen.
"use strict";

const pulse = document.querySelector("[data-pulse]");
const logCard = document.querySelector("[data-log]");
const samplesCard = document.querySelector("[data-samples]");
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 56;
const STEPS = 120;

function spoken(seconds) {
  if (seconds === null || seconds === undefined) return "—";
  if (seconds < 0.001) return `${Math.round(seconds * 1e6)} µs`;
  if (seconds < 1) return `${Number((seconds * 1000).toPrecision(3))} ms`;
  return `${Number(seconds.toPrecision(3))} s`;
}

function rateText(perSecond) {
  return perSecond >= 100 ? String(Math.round(perSecond)) : String(Number(perSecond.toPrecision(2)));
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// The newest step stands at the right end; steps without a value leave a gap.
function linePath(values, most) {
  const first = STEPS - values.length;
  let path = "";
  let open = false;
  values.forEach((value, at) => {
    if (value === null) return (open = false);
    const x = (((first + at) / (STEPS - 1)) * WIDTH).toFixed(1);
    const y = (HEIGHT - 3 - (value / most) * (HEIGHT - 8)).toFixed(1);
    path += `${open ? "L" : "M"}${x} ${y}`;
    if (!open && values[at + 1] === null) path += "h0.01";
    open = true;
  });
  return path;
}

function draw(meter, lines, now, more) {
  const chart = meter.querySelector("svg");
  const most = Math.max(...lines.flatMap(([, values]) => values.map((value) => value ?? 0)), 1e-9);
  chart.replaceChildren(shape("line", { x1: 0, y1: HEIGHT - 2, x2: WIDTH, y2: HEIGHT - 2, class: "meter-ground" }));
  for (const [kind, values] of lines) chart.append(shape("path", { d: linePath(values, most), class: `meter-line ${kind}` }));
  meter.querySelector("[data-now]").textContent = now;
  meter.querySelector("[data-more]").textContent = more;
}

function last(values) {
  return values.findLast((value) => value !== null) ?? null;
}

function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}

function showPulse(found) {
  const rates = found.answered.map((count) => count / found.seconds);
  const failures = found.failed.map((count, at) => count + found.refused[at]);
  const meter = (name) => pulse.querySelector(`[data-meter=${name}]`);
  draw(meter("rate"), [["good", rates]], rateText(rates.at(-1) ?? 0), `${sum(found.answered)} answered`);
  draw(
    meter("latency"),
    [["faint", found.p95], ["good", found.p50]],
    spoken(last(found.p50)),
    found.p95.some((value) => value !== null) ? `half of the calls; 95 %: ${spoken(last(found.p95))}` : "no calls",
  );
  draw(meter("errors"), [["bad", failures]], String(sum(failures)), `${sum(found.failed)} failed, ${sum(found.refused)} with input that did not fit`);
  meter("errors").classList.toggle("quiet-meter", sum(failures) === 0);
}

function showLog(found) {
  const code = logCard.querySelector("[data-log-lines]");
  const frame = code.closest("pre");
  const text = found.lines.join("\n");
  const atEnd = frame.scrollTop + frame.clientHeight >= frame.scrollHeight - 8;
  if (code.textContent !== text) {
    code.textContent = text;
    if (atEnd) frame.scrollTop = frame.scrollHeight;
  }
  code.closest(".code").hidden = text === "";
  logCard.querySelector("[data-log-empty]").hidden = text !== "";
}

function showSamples({ samples }) {
  const body = samplesCard.querySelector("tbody");
  body.replaceChildren(
    ...samples.map((sample) => {
      const row = document.createElement("tr");
      const texts = [new Date(sample.at).toLocaleTimeString(), sample.version, spoken(sample.seconds), JSON.stringify(sample.inputs), JSON.stringify(sample.outputs)];
      texts.forEach((text, at) => {
        const cell = row.insertCell();
        cell.textContent = text.length > 200 ? `${text.slice(0, 199)}…` : text;
        cell.className = at === 2 ? "number" : at > 2 ? "mono" : "muted";
        if (at > 2) cell.title = text.slice(0, 2000);
      });
      return row;
    }),
  );
  samplesCard.querySelector("[data-samples-frame]").hidden = samples.length === 0;
  samplesCard.querySelector("[data-samples-empty]").hidden = samples.length > 0;
}

async function ask(address) {
  const response = await fetch(address, { headers: { accept: "application/json" } });
  if (!response.ok) throw new Error(await problemText(response));
  return response.json();
}

async function look() {
  const state = pulse.querySelector("[data-pulse-state]");
  try {
    showPulse(await ask(pulse.dataset.pulse));
    if (logCard) showLog(await ask(logCard.dataset.log));
    if (samplesCard) showSamples(await ask(samplesCard.dataset.samples));
    state.textContent = "";
  } catch (error) {
    state.textContent = `not up to date: ${error.message}`;
  }
}

look();
setInterval(() => document.visibilityState === "visible" && look(), 5000);
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && look());

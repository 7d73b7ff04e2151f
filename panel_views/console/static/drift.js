// How far what a model is asked has moved from its reference: a small histogram for each feature.
"use strict";

const driftCard = document.querySelector("[data-drift]");
const DRIFT_PAUSE = 30000;

function driftWords(feature) {
  const word = feature.drifted ? "drifted" : feature.drifted === null ? "too few values" : "as before";
  return feature.distance === null ? word : `${word} · ${feature.distance.toFixed(2)}`;
}

function histogramOf({ reference, asked, labels }, words) {
  const most = Math.max(...reference, ...asked, 1e-9);
  const width = 200 / reference.length;
  const chart = shape("svg", { viewBox: "0 0 200 60", preserveAspectRatio: "none", role: "img", "aria-label": words });
  reference.forEach((share, at) => {
    for (const [kind, value] of [["asked", asked[at]], ["reference", share]]) {
      const height = (value / most) * 56;
      const bar = shape("rect", { x: at * width + 1, y: 58 - height, width: Math.max(width - 2, 1), height, class: `drift-${kind}` });
      const title = shape("title", {});
      title.textContent = `${kind}: ${labels ? `${labels[at]}, ` : ""}${(value * 100).toFixed(0)} %`;
      bar.append(title);
      chart.append(bar);
    }
  });
  return chart;
}

function driftFigure(feature) {
  const figure = document.createElement("figure");
  figure.className = feature.drifted ? "drift drifted" : "drift";
  const caption = document.createElement("figcaption");
  const name = document.createElement("strong");
  name.textContent = name.title = feature.feature;
  const state = document.createElement("span");
  state.textContent = driftWords(feature);
  caption.append(name, state);
  figure.append(caption);
  if (!feature.histogram) return figure;
  const { edges, labels } = feature.histogram;
  const ends = document.createElement("p");
  ends.className = "note";
  const texts = edges ? [edges[0], edges.at(-1)].map((edge) => String(Number(edge.toPrecision(3)))) : [labels.slice(0, 4).join(", ")];
  for (const text of texts) ends.append(Object.assign(document.createElement("span"), { textContent: text }));
  figure.append(histogramOf(feature.histogram, `${feature.feature}: ${driftWords(feature)}. Outlined the reference, filled what is asked.`), ends);
  return figure;
}

function showDrift(found) {
  const says = driftCard.querySelector("[data-drift-says]");
  says.textContent = found.says || (found.features.length ? "" : "Nothing can be compared yet.");
  says.hidden = says.textContent === "";
  const drifted = found.features.filter((feature) => feature.drifted).length;
  driftCard.querySelector("[data-drift-rows]").textContent = found.asked_rows ? `${found.asked_rows} rows asked (filled), ${found.reference_rows} of the reference (outlined)` : "";
  driftCard.querySelector("[data-drift-sum]").textContent = drifted ? `${drifted} of ${found.features.length} features drifted` : "";
  driftCard.querySelector("[data-drift-features]").replaceChildren(...found.features.map(driftFigure));
}

async function lookAtDrift() {
  try {
    showDrift(await ask(driftCard.dataset.drift));
  } catch (error) {
    driftCard.querySelector("[data-drift-rows]").textContent = `not up to date: ${error.message}`;
  }
}

if (driftCard) {
  lookAtDrift();
  setInterval(() => document.visibilityState === "visible" && lookAtDrift(), DRIFT_PAUSE);
}

// Who answers for a model: shares of its requests, a shadow and where it differs; and the dialog that shares them out.
"use strict";

const trafficCard = document.querySelector("[data-traffic]");
const shareOut = document.querySelector("dialog[data-share-out]");

function cellOf(row, text, kind = "") {
  const cell = row.insertCell();
  cell.textContent = text;
  cell.className = kind;
  return cell;
}

function showTraffic(found) {
  const bar = trafficCard.querySelector("[data-shares]");
  const answering = found.versions.filter((version) => version.percent > 0);
  bar.replaceChildren(
    ...answering.map((version) => {
      const part = document.createElement("span");
      part.style.flexGrow = version.percent;
      part.className = version.version === found.live_version ? "share live" : "share";
      part.textContent = `${version.version} · ${version.percent} %`;
      return part;
    }),
  );
  trafficCard.querySelector("tbody").replaceChildren(
    ...found.versions.map((version) => {
      const row = document.createElement("tr");
      const roles = [version.version === found.live_version && "live", version.version in found.split && "split", version.version === found.shadow?.version && "shadow"].filter(Boolean);
      cellOf(row, version.version, "mono strong");
      cellOf(row, roles.join(", ") || "loaded", "muted");
      cellOf(row, `${version.percent} %`, "number");
      cellOf(row, String(version.answered), "number");
      cellOf(row, String(version.failed), version.failed ? "number fault" : "number");
      return row;
    }),
  );
  const shadow = found.shadow;
  const words = trafficCard.querySelector("[data-shadow]");
  words.hidden = !shadow;
  if (shadow) {
    const same = shadow.equal ?? 0;
    const other = shadow.different ?? 0;
    words.textContent = `Shadow ${shadow.version}: ${same} answers the same, ${other} different, ${shadow.failed ?? 0} failed${shadow.dropped ? `, ${shadow.dropped} left out` : ""}.`;
  }
  trafficCard.querySelector("[data-end-traffic]")?.toggleAttribute("hidden", !shadow && Object.keys(found.split).length === 0);
}

function showDifferences({ differences }) {
  const frame = trafficCard.querySelector("[data-differences]");
  frame.hidden = differences.length === 0;
  frame.querySelector("tbody").replaceChildren(
    ...differences.map((one) => {
      const row = document.createElement("tr");
      cellOf(row, new Date(one.created_at).toLocaleTimeString(), "muted");
      cellOf(row, one.detail || one.kind);
      for (const value of [one.input, one.expected, one.found]) {
        const text = value === null ? "—" : JSON.stringify(value);
        cellOf(row, text.length > 120 ? `${text.slice(0, 119)}…` : text, "mono").title = text.slice(0, 2000);
      }
      return row;
    }),
  );
}

async function lookAtTraffic() {
  const state = trafficCard.querySelector("[data-traffic-state]");
  try {
    const found = await ask(trafficCard.dataset.traffic);
    showTraffic(found);
    if (found.shadow && trafficCard.querySelector("[data-differences]")) showDifferences(await ask(`${trafficCard.dataset.traffic}/differences?limit=5`));
    state.textContent = "";
  } catch (error) {
    state.textContent = `not up to date: ${error.message}`;
  }
}

async function share(event) {
  event.preventDefault();
  const fault = shareOut.querySelector("[data-fault]");
  const split = {};
  for (const input of shareOut.querySelectorAll("[data-percent]")) if (input.value && Number(input.value) !== 0) split[input.dataset.percent] = Number(input.value);
  const listener = shareOut.querySelector("#share-shadow").value;
  const rule = { split, shadow: listener ? { version: listener, sample: Number(shareOut.querySelector("#share-sample").value) / 100 } : null };
  fault.textContent = "";
  try {
    await send(trafficCard.dataset.traffic, "PUT", JSON.stringify(rule));
    again("Shared out.");
  } catch (error) {
    fault.textContent = error.message;
  }
}

shareOut?.querySelector("form").addEventListener("submit", share);
shareOut?.querySelector("[data-close]").addEventListener("click", () => shareOut.close());
document.querySelector("[data-open-share-out]")?.addEventListener("click", () => shareOut.showModal());
if (trafficCard) {
  lookAtTraffic();
  setInterval(() => document.visibilityState === "visible" && lookAtTraffic(), 5000);
}

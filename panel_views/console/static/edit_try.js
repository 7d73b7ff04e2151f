// Trying a node of the draft with an input of one's own.
"use strict";

function nodeTrial(page, node) {
  if (["decide", "review"].includes(node.kind)) return null;
  const known = (page.checked.arguments[node.id] || []).filter((each) => each.required || node.arguments[each.name]);
  const state = page.tried.get(node.id) || {};
  const sample = Object.fromEntries(known.map((each) => [each.name, sampleOf(each.type)]));
  const box = made("textarea", { class: "mono", rows: 3, spellcheck: false, value: state.text ?? JSON.stringify(sample), oninput: () => page.tried.set(node.id, { ...page.tried.get(node.id), text: box.value }) });
  const result = made("div", { class: "tried", role: "status" });
  const button = made("button", { type: "button", onclick: () => tryNode(page, node.id, box, button, result) }, "Try this node");
  if (state.shown) result.append(...state.shown());
  return made("div", { class: "try-node" }, made("h3", {}, "Try"), labelled("input", box, "What it saves and sends, it does."), button, result);
}

async function tryNode(page, id, box, button, result) {
  const given = readJson(box.value);
  if (!given || typeof given !== "object" || Array.isArray(given)) return toast('Write the input as JSON, as {"value": 1}.', true);
  button.disabled = true;
  result.replaceChildren("…");
  let shown;
  try {
    const found = await page.post(`${page.api}/try`, { draft: page.draft, node: id, input: given });
    shown = () => triedParts(found);
  } catch (error) {
    shown = () => [made("p", { class: "fault" }, error.message), ...(error.faults || []).map((fault) => made("p", { class: "fault" }, `${(fault.loc || []).join(".")} ${fault.msg}`))];
  }
  page.tried.set(id, { text: box.value, shown });
  button.disabled = false;
  result.replaceChildren(...shown());
}

function triedParts(found) {
  const took = found.duration_us < 1000 ? `${found.duration_us} µs` : `${(found.duration_us / 1000).toFixed(1)} ms`;
  const parts = [made("p", { class: found.error ? "fault" : "muted" }, found.error ? found.error.detail : `${found.state} in ${took}`)];
  if (!found.error) parts.push(made("pre", { class: "mono sunken", tabIndex: 0, "aria-label": "Output" }, JSON.stringify(found.output, null, 2)));
  if (found.error?.traceback) parts.push(made("pre", { class: "mono sunken", tabIndex: 0, "aria-label": "Traceback" }, found.error.traceback));
  if (found.lines.length) parts.push(made("pre", { class: "mono sunken", tabIndex: 0, "aria-label": "Logs" }, found.lines.map(([, level, text]) => `${level} ${text}`).join("\n")));
  return parts;
}

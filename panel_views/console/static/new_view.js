// Makes a new view: asks for a title and what to begin with, and opens the builder.
"use strict";

const dialog = document.querySelector("[data-new-view-dialog]");
const form = dialog.querySelector("form");
const fields = form.elements;
// What each beginning is sent as, and the field that names what it is about.
const BEGINNINGS = {
  worklet: { template: "try-a-model", as: "worklet", field: "worklet" },
  model: { template: "try-a-model", as: "model", field: "model" },
  table: { template: "table", as: "table", field: "table" },
  "table-editor": { template: "table-editor", as: "table", field: "edited", more: ["columns", "key", "write"] },
  "review-inbox": { template: "review-inbox", as: "worklet", field: "asking" },
};
let known = { worklets: [], models: [], tables: [] };

const beginning = () => BEGINNINGS[fields.template.value] ?? { template: fields.template.value };

function fit() {
  for (const box of form.querySelectorAll("[data-for]")) box.hidden = box.dataset.for !== fields.template.value;
  const { field } = beginning();
  const chosen = field ? fields[field].value.trim() : fields.template.value === "dashboard" ? "dashboard" : "";
  // A title that was typed stays.
  if (!fields.title.value || fields.title.dataset.guessed === fields.title.value) {
    fields.title.value = chosen ? chosen[0].toUpperCase() + chosen.slice(1).replace(/[._-]+/g, " ") : "";
    fields.title.dataset.guessed = fields.title.value;
  }
}

// The columns of a table that there is, unless others were typed.
function fitColumns() {
  const found = known.tables.find((one) => one.name === fields.edited.value.trim());
  const text = (found?.fields ?? []).map((one) => (one.type === "text" ? one.name : `${one.name}: ${one.type}`)).join(", ");
  if (!fields.columns.value || fields.columns.dataset.guessed === fields.columns.value) {
    fields.columns.value = text;
    fields.columns.dataset.guessed = text;
  }
  const names = fields.columns.value.split(",").map((part) => part.trim().split(/[:\s]/)[0]).filter(Boolean);
  document.getElementById("known-columns").replaceChildren(...names.map((name) => new Option(name, name)));
}

function fill(select, names, none) {
  select.replaceChildren(...names.map((name) => new Option(name, name)));
  select.disabled = !names.length;
  if (!names.length) select.append(new Option(none, ""));
}

async function open(begin = {}) {
  dialog.showModal();
  fields.title.focus();
  try {
    known = await send("/api/views/sources", "GET");
    fill(fields.worklet, known.worklets.map((one) => one.name), "There is no worklet yet");
    fill(fields.model, known.models.filter((one) => one.live).map((one) => one.name), "There is no live model yet");
    fill(fields.asking, known.worklets.filter((one) => one.reviews.length).map((one) => one.name), "No worklet asks people yet");
    fill(fields.table, known.tables.map((one) => one.name), "There is no table yet");
    document.getElementById("known-tables").replaceChildren(...known.tables.map((one) => new Option(one.name, one.name)));
  } catch (error) {
    form.querySelector("[data-fault]").textContent = error.message;
  }
  for (const [kind, name] of Object.entries(begin)) {
    fields.template.value = kind;
    fields[kind].value = name;
  }
  fit();
}

// Says what is missing, with the focus where it is.
function missing() {
  const { field } = beginning();
  if (field && !fields[field].value.trim()) {
    fields[field].focus();
    return fields[field].disabled ? `${fields[field].selectedOptions[0].text}: begin with something else.` : "Say which one.";
  }
  if (!fields.title.value.trim()) {
    fields.title.focus();
    return "Give the view a title.";
  }
  return "";
}

form.addEventListener("change", fit);
fields.edited.addEventListener("input", () => { fit(); fitColumns(); });
fields.columns.addEventListener("input", fitColumns);
form.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fault = form.querySelector("[data-fault]");
  fault.textContent = missing();
  if (fault.textContent) return;
  const { template, as, field, more = [] } = beginning();
  const body = { title: fields.title.value.trim(), template };
  if (field) body[as] = fields[field].value.trim();
  for (const name of more) body[name] = fields[name].value.trim();
  try {
    const made = await send("/api/views/drafts", "POST", JSON.stringify(body));
    location.assign(made.edit);
  } catch (error) {
    fault.textContent = error.message;
  }
});
document.querySelector("[data-new-view]").addEventListener("click", () => open());
const asked = new URLSearchParams(location.search);
if (asked.has("new-model")) open({ model: asked.get("new-model") });
else if (asked.has("new")) open(asked.get("new") ? { worklet: asked.get("new") } : {});

// Makes a new view: asks for a title and what to begin with, and opens the builder.
"use strict";

const dialog = document.querySelector("[data-new-view-dialog]");
const form = dialog.querySelector("form");
const fields = form.elements;

function fit() {
  for (const box of form.querySelectorAll("[data-for]")) box.hidden = box.dataset.for !== fields.template.value;
  const chosen = fields.template.value === "try-a-model" ? fields.worklet.value : fields.template.value === "review-inbox" ? fields.asking.value : fields.template.value === "table" ? fields.table.value : "";
  if (!fields.title.value || fields.title.dataset.guessed === fields.title.value) {
    fields.title.value = chosen ? chosen[0].toUpperCase() + chosen.slice(1).replace(/[_-]+/g, " ") : fields.title.dataset.guessed ? "" : fields.title.value;
    fields.title.dataset.guessed = fields.title.value;
  }
}

function fill(select, names, none) {
  select.replaceChildren(...names.map((name) => new Option(name, name)));
  select.disabled = !names.length;
  if (!names.length) select.append(new Option(none, ""));
}

async function open(worklet) {
  dialog.showModal();
  try {
    const known = await send("/api/views/sources", "GET");
    fill(fields.worklet, known.worklets.map((one) => one.name), "There is no worklet yet");
    fill(fields.asking, known.worklets.filter((one) => one.reviews.length).map((one) => one.name), "No worklet asks people yet");
    fill(fields.table, known.tables.map((one) => one.name), "There is no table yet");
  } catch (error) {
    form.querySelector("[data-fault]").textContent = error.message;
  }
  if (worklet) {
    fields.template.value = "try-a-model";
    fields.worklet.value = worklet;
  }
  fit();
}

form.addEventListener("change", fit);
form.querySelector("[data-cancel]").addEventListener("click", () => dialog.close());
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fault = form.querySelector("[data-fault]");
  fault.textContent = "";
  const template = fields.template.value;
  const body = { title: fields.title.value.trim(), template };
  if (template === "try-a-model") body.worklet = fields.worklet.value;
  if (template === "review-inbox") body.worklet = fields.asking.value;
  if (template === "table") body.table = fields.table.value;
  try {
    const made = await send("/api/views/drafts", "POST", JSON.stringify(body));
    location.assign(made.edit);
  } catch (error) {
    fault.textContent = error.message;
  }
});
document.querySelector("[data-new-view]").addEventListener("click", () => open());
const asked = new URLSearchParams(location.search).get("new");
if (asked !== null) open(asked);

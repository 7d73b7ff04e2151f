// What people write of a model: description, labels and metadata; and deleting it, which names what needs it.
"use strict";

const notes = document.querySelector("dialog[data-notes]");

function valueOfPair(input) {
  // A text that was not touched keeps the type it had: "1" stays a text, 1 a number.
  if (input.dataset.was !== undefined && input.value === input.defaultValue) return JSON.parse(input.dataset.was);
  try {
    return JSON.parse(input.value);
  } catch {
    return input.value;
  }
}

function pairsOf(fieldset) {
  const found = {};
  const labels = fieldset.dataset.pairs === "labels";
  for (const row of fieldset.querySelectorAll(".pair-row")) {
    const [name, value] = row.querySelectorAll("input");
    if (!name.value.trim()) {
      if (value.value.trim()) throw Object.assign(new Error("Give each value a name."), { at: name });
      continue;
    }
    if (Object.hasOwn(found, name.value.trim())) throw Object.assign(new Error(`${name.value.trim()} stands there twice.`), { at: name });
    found[name.value.trim()] = labels ? value.value : valueOfPair(value);
  }
  return found;
}

function addPair(fieldset) {
  const title = fieldset.querySelector("legend").textContent;
  const row = Object.assign(document.createElement("div"), { className: "pair-row" });
  for (const which of ["name", "value"]) {
    const input = Object.assign(document.createElement("input"), { placeholder: which });
    input.setAttribute("aria-label", `${title}: ${which}`);
    row.append(input);
  }
  const remove = Object.assign(document.createElement("button"), { type: "button", className: "quiet small", textContent: "✕" });
  remove.dataset.removePair = "";
  remove.setAttribute("aria-label", "Remove");
  row.append(remove);
  fieldset.querySelector(".pair-rows").append(row);
  row.querySelector("input").focus();
}

async function saveNotes() {
  const fault = notes.querySelector("[data-fault]");
  fault.textContent = "";
  try {
    const body = { description: notes.querySelector("#notes-description").value, revision: notes.dataset.revision };
    for (const fieldset of notes.querySelectorAll("[data-pairs]")) body[fieldset.dataset.pairs] = pairsOf(fieldset);
    await send(notes.dataset.notes, "PATCH", JSON.stringify(body));
    again("Saved.");
  } catch (error) {
    fault.textContent = error.message;
    error.at?.focus();
  }
}

async function deleteModel(button) {
  const { deleteModel: address, name } = button.dataset;
  try {
    const { dependants } = await (await fetch(`${address}/dependants`)).json();
    const needed = (dependants || []).map((each) => `the ${each.kind} ${each.name}` + (each.through ? ` (by ${each.through})` : ""));
    const warning = needed.length
      ? `${name} is needed by ${needed.slice(0, 10).join(", ")}${needed.length > 10 ? ` and ${needed.length - 10} more` : ""}. They will fail once it is gone. Delete it with all its versions all the same?`
      : `Nothing that is live needs ${name}. Delete it with all its versions? This can't be undone.`;
    if (!(await confirmed(warning))) return;
    button.disabled = true;
    await send(address + (needed.length ? "?force=true" : ""), "DELETE");
    sessionStorage.setItem("toast", `${name} is deleted.`);
    location.href = "/console/models";
  } catch (error) {
    toast(error.message, true);
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if ("editNotes" in button.dataset) notes.showModal();
  else if ("close" in button.dataset) notes.close();
  else if ("addPair" in button.dataset) addPair(button.closest("fieldset"));
  else if ("removePair" in button.dataset) button.closest(".pair-row").remove();
  else if (button.dataset.deleteModel) deleteModel(button);
});
notes.querySelector("form").addEventListener("submit", (event) => {
  event.preventDefault();
  saveNotes();
});

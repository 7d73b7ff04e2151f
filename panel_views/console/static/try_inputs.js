// The controls of a form that tries something: their values, pictures with previews, grids of rows, and files that fill them.
"use strict";

const MISSING = Symbol("missing");
const FILE_URL = /^\/api\/files\/[\w-]+$/;
const IMAGE_URL = /^data:image\/(png|jpeg|gif|webp);base64,/;

class FieldFault extends Error {}

function dataUrl(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new FieldFault("The file can't be read."));
    reader.readAsDataURL(file);
  });
}

function control(field) {
  return field.querySelector("input:not([type=file]), select, textarea");
}

async function valueOf(field) {
  if (field.dataset.control === "grid") return rowsOf(field);
  const input = control(field);
  if (field.dataset.control === "checkbox") return input.checked;
  if (field.dataset.control === "image") {
    const file = field.querySelector("[data-file]").files[0];
    if (file) return file;
  }
  if (input.validity.badInput) throw new FieldFault("This is no number.");
  const text = input.value;
  if (text === "") {
    // An optional field that is left empty keeps its default.
    if (!("required" in field.dataset)) return MISSING;
    if (field.dataset.kind === "string" && field.dataset.control !== "image") return "";
    throw new FieldFault("This is needed.");
  }
  if (field.dataset.kind === "number" || field.dataset.kind === "integer") return Number(text);
  if (field.dataset.kind !== "json") return text;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new FieldFault(`This is no valid JSON: ${error.message}`);
  }
}

// The value with each file in it as a data URL.
async function plain(value) {
  if (value instanceof File) return dataUrl(value);
  if (Array.isArray(value)) return Promise.all(value.map(plain));
  if (!value || typeof value !== "object") return value;
  const entries = await Promise.all(Object.entries(value).map(async ([key, inner]) => [key, await plain(inner)]));
  return Object.fromEntries(entries);
}

// --- grids ----------------------------------------------------------------------------------------

const TRUE = ["true", "yes", "1"];
const FALSE = ["false", "no", "0"];

function gridOf(field) {
  const grid = field.querySelector(".grid-input");
  return { columns: JSON.parse(grid.dataset.columns), cells: JSON.parse(grid.dataset.cells), body: grid.querySelector("tbody") };
}

function cellValue(text, kind) {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  if (kind === "text") return text;
  if (kind === "boolean") {
    if (TRUE.includes(trimmed.toLowerCase())) return true;
    if (FALSE.includes(trimmed.toLowerCase())) return false;
    throw new FieldFault("say true or false");
  }
  const number = Number(trimmed.replace(",", "."));
  if (Number.isFinite(number)) return number;
  if (kind === "any") return text;
  throw new FieldFault("is no number");
}

function rowsOf(field) {
  const { columns, cells, body } = gridOf(field);
  const faults = [];
  const rows = [...body.rows].map((row) =>
    columns.map((name, at) => {
      const input = row.cells[at].querySelector("input");
      try {
        return cellValue(input.value, cells[at]);
      } catch (error) {
        input.setAttribute("aria-invalid", "true");
        faults.push(`${input.ariaLabel}: ${error.message}.`);
      }
    }),
  );
  if (faults.length) throw new FieldFault(faults.join(" "));
  const filled = rows.filter((row) => row.some((value) => value !== null));
  if (!filled.length && !("required" in field.dataset)) return MISSING;
  if (!filled.length) throw new FieldFault("Fill in a row.");
  if (field.dataset.kind === "rows") return filled;
  return filled.map((row) => Object.fromEntries(row.map((value, at) => [columns[at], value])));
}

function numberRows(body, columns) {
  [...body.rows].forEach((row, number) => {
    columns.forEach((name, at) => row.cells[at].querySelector("input").setAttribute("aria-label", `${name}, row ${number + 1}`));
    row.querySelector("[data-remove-row]").setAttribute("aria-label", `Remove row ${number + 1}`);
  });
}

function addRow(field, texts = []) {
  const { columns, body } = gridOf(field);
  const row = body.rows[0].cloneNode(true);
  columns.forEach((name, at) => {
    const input = row.cells[at].querySelector("input");
    input.value = texts[at] ?? "";
    input.removeAttribute("aria-invalid");
  });
  body.append(row);
  numberRows(body, columns);
  return row;
}

function removeRow(row, field) {
  const { columns, body } = gridOf(field);
  if (body.rows.length === 1) row.querySelectorAll("input").forEach((input) => (input.value = ""));
  else row.remove();
  numberRows(body, columns);
  body.rows[0].querySelector("input").focus();
}

// Rows of texts from a file or a spreadsheet's clipboard: commas, semicolons or tabs, quotes doubled inside quotes.
function parsed(text) {
  const first = text.split("\n", 1)[0];
  const separator = ["\t", ";", ","].find((each) => first.includes(each)) ?? ",";
  const rows = [[]];
  let cell = "";
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const letter = text[at];
    if (quoted) {
      if (letter !== '"') cell += letter;
      else if (text[at + 1] === '"') (cell += '"'), (at += 1);
      else quoted = false;
    } else if (letter === '"' && cell === "") quoted = true;
    else if (letter === separator) rows.at(-1).push(cell), (cell = "");
    else if (letter === "\n") rows.at(-1).push(cell), (cell = ""), rows.push([]);
    else if (letter !== "\r") cell += letter;
  }
  rows.at(-1).push(cell);
  return rows.filter((row) => row.some((each) => each.trim() !== ""));
}

const MOST_ROWS = 500;

function fillGrid(field, text) {
  const { columns, body } = gridOf(field);
  let rows = parsed(text);
  const head = (rows[0] ?? []).map((name) => name.trim());
  if (columns.every((name) => head.includes(name))) {
    rows = rows.slice(1).map((row) => columns.map((name) => row[head.indexOf(name)]));
  } else if (rows.length > 1 && head.every((name) => name !== "" && !Number.isFinite(Number(name)))) {
    throw new FieldFault(`The file's columns are ${head.slice(0, 12).join(", ")}; ${columns.slice(0, 12).join(", ")} are needed.`);
  }
  const wrong = rows.findIndex((row) => row.length !== columns.length);
  if (wrong >= 0) throw new FieldFault(`Row ${wrong + 1} of the file has ${rows[wrong].length} values; ${columns.length} are needed.`);
  if (rows.length > MOST_ROWS) throw new FieldFault(`The file has ${rows.length} rows; this form takes ${MOST_ROWS}. Send more by the API.`);
  if (!rows.length) throw new FieldFault("The file has no rows.");
  rows.forEach((row) => addRow(field, row));
  while (body.rows.length > rows.length) body.rows[0].remove();
  numberRows(body, columns);
}

// --- files ----------------------------------------------------------------------------------------

async function take(field, file) {
  const place = field.querySelector("[data-fault]");
  place.textContent = "";
  if (field.dataset.control === "image") {
    if (!file.type.startsWith("image/")) return (place.textContent = `${file.name} is no picture.`);
    const transfer = new DataTransfer();
    transfer.items.add(file);
    const input = field.querySelector("[data-file]");
    input.files = transfer.files;
    return input.dispatchEvent(new Event("change", { bubbles: true }));
  }
  try {
    if (file.size > 5_000_000) throw new FieldFault(`${file.name} is too large for this form; send it by the API.`);
    const text = await file.text();
    if (field.dataset.control === "grid") return fillGrid(field, text);
    if (field.dataset.control === "json") control(field).value = JSON.stringify(JSON.parse(text), null, 1);
    else control(field).value = text;
  } catch (error) {
    place.textContent = error instanceof SyntaxError ? `${file.name} is no valid JSON: ${error.message}` : error.message;
  }
}

function dropsIn(target) {
  const field = target.closest?.("form[data-try] .field");
  return field?.querySelector("[data-file], [data-load]") ? field : null;
}

document.addEventListener("dragover", (event) => {
  const field = dropsIn(event.target);
  if (!field || ![...event.dataTransfer.items].some((item) => item.kind === "file")) return;
  event.preventDefault();
  field.classList.add("dropping");
});
document.addEventListener("dragleave", (event) => dropsIn(event.target)?.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  const field = dropsIn(event.target);
  if (!field || !event.dataTransfer.files.length) return;
  event.preventDefault();
  field.classList.remove("dropping");
  take(field, event.dataTransfer.files[0]);
});
document.addEventListener("paste", (event) => {
  const field = event.target.closest?.("[data-control=grid]");
  const text = event.clipboardData?.getData("text/plain") ?? "";
  if (!field || !/[\t\n]/.test(text.trim())) return;
  event.preventDefault();
  try {
    fillGrid(field, text);
  } catch (error) {
    field.querySelector("[data-fault]").textContent = error.message;
  }
});
document.addEventListener("click", (event) => {
  const field = event.target.closest("[data-control=grid]");
  if (!field) return;
  if ("addRow" in event.target.dataset) addRow(field).querySelector("input").focus();
  else if ("removeRow" in event.target.dataset) removeRow(event.target.closest("tr"), field);
});
document.addEventListener("change", (event) => {
  if ("load" in event.target.dataset && event.target.files[0]) take(event.target.closest(".field"), event.target.files[0]);
});
document.addEventListener("change", async (event) => {
  const field = event.target.closest("form[data-try] [data-control=image]");
  if (!field) return;
  // Whichever of the two was used last counts.
  if (event.target.type === "file") control(field).value = "";
  else field.querySelector("[data-file]").value = "";
  const file = field.querySelector("[data-file]").files[0];
  const typed = control(field).value.trim();
  const preview = field.querySelector("[data-preview]");
  const source = file ? await dataUrl(file) : FILE_URL.test(typed) || IMAGE_URL.test(typed) ? typed : null;
  const note = document.createElement("span");
  note.textContent = typed ? "By address" : "No picture";
  if (!source) return preview.replaceChildren(note);
  const image = document.createElement("img");
  image.alt = `Preview of ${field.querySelector("label").textContent}`;
  image.onerror = () => {
    note.textContent = "No preview";
    preview.replaceChildren(note);
  };
  image.src = source;
  preview.replaceChildren(image);
});

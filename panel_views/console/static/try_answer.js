// The answer of what was tried: pictures as pictures, rows as a table, one value large, and always the JSON.
"use strict";

const MOST_SHOWN = 100;
const isPlain = (value) => value === null || typeof value !== "object";

function shortened(value) {
  if (typeof value === "string" && value.length > 400) {
    const kind = value.startsWith("data:") ? value.slice(5, value.search(/[;,]/)) : "text";
    return `(${kind}, ${value.length} letters)`;
  }
  if (Array.isArray(value)) return value.map(shortened);
  if (value && typeof value === "object")
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, shortened(inner)]));
  return value;
}

function* strings(value, place = "") {
  if (typeof value === "string") yield [place, value];
  else if (value && typeof value === "object")
    for (const [key, inner] of Object.entries(value)) yield* strings(inner, place ? `${place}.${key}` : key);
}

function showPictures(value) {
  const frame = part("pictures");
  frame.replaceChildren();
  for (const [place, text] of strings(value)) {
    if (!FILE_URL.test(text) && !IMAGE_URL.test(text)) continue;
    const figure = document.createElement("figure");
    const image = document.createElement("img");
    const caption = document.createElement("figcaption");
    const download = document.createElement("a");
    image.onerror = () => figure.remove();
    image.src = text;
    image.alt = place || "output";
    caption.append(place || "output");
    download.href = text;
    download.download = "";
    download.textContent = "Download";
    caption.append(" ", download);
    figure.append(image, caption);
    frame.append(figure);
  }
  frame.hidden = frame.childElementCount === 0;
}

// The rows and columns of a value that is a table, else null.
function tableOf(value) {
  if (!Array.isArray(value) || value.length === 0) return null;
  if (value.every((row) => Array.isArray(row) && row.length && row.length === value[0].length && row.every(isPlain)))
    return { columns: value[0].map((_, number) => String(number + 1)), rows: value };
  if (value.every((row) => row && !Array.isArray(row) && typeof row === "object" && Object.values(row).every(isPlain))) {
    const columns = [...new Set(value.slice(0, MOST_SHOWN).flatMap(Object.keys))];
    return columns.length ? { columns, rows: value.map((row) => columns.map((name) => row[name] ?? null)) } : null;
  }
  if (value.every(isPlain) && value.length > 1) return { columns: ["value"], rows: value.map((each) => [each]) };
  return null;
}

function cellText(value) {
  if (value === null || value === undefined) return "—";
  if (typeof value === "number" && !Number.isInteger(value)) return String(Number(value.toPrecision(6)));
  return String(value);
}

function tableElement({ columns, rows }, label) {
  const frame = Object.assign(document.createElement("div"), { className: "scroll", tabIndex: 0 });
  frame.setAttribute("role", "group");
  frame.setAttribute("aria-label", label);
  const table = Object.assign(document.createElement("table"), { className: "list" });
  const head = table.createTHead().insertRow();
  for (const name of ["", ...columns]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    if (name === "") cell.innerHTML = '<span class="hidden">Row</span>';
    else cell.textContent = name;
    head.append(cell);
  }
  const body = table.createTBody();
  rows.slice(0, MOST_SHOWN).forEach((values, number) => {
    const row = body.insertRow();
    row.insertCell().textContent = number + 1;
    row.cells[0].className = "muted";
    for (const value of values) row.insertCell().textContent = cellText(value).slice(0, 300);
  });
  frame.append(table);
  if (rows.length > MOST_SHOWN) {
    const note = Object.assign(document.createElement("p"), { className: "note" });
    note.textContent = `The first ${MOST_SHOWN} of ${rows.length} rows.`;
    frame.append(note);
  }
  return frame;
}

function single(value) {
  const inner = Array.isArray(value) && value.length === 1 ? value[0] : value;
  return isPlain(inner) && !(typeof inner === "string" && (FILE_URL.test(inner) || IMAGE_URL.test(inner))) ? inner : undefined;
}

function answerElements(value, label) {
  const table = tableOf(value);
  const one = single(value);
  if (one !== undefined) {
    const text = document.createElement("p");
    text.className = cellText(one).length <= 40 ? "figure" : "preserve breaks";
    text.textContent = cellText(one);
    return [text];
  }
  return table ? [tableElement(table, label)] : [];
}

// True if the value could be shown as something that is easier to read than JSON.
function showAnswer(value) {
  const frame = part("answer");
  frame.replaceChildren();
  const named = value && !Array.isArray(value) && typeof value === "object" ? Object.entries(value) : null;
  if (!named) frame.append(...answerElements(value, "Output"));
  for (const [name, inner] of (named ?? []).slice(0, 30)) {
    const found = answerElements(inner, name);
    if (!found.length) continue;
    const heading = document.createElement("h3");
    heading.textContent = name;
    frame.append(heading, ...found);
  }
  frame.hidden = frame.childElementCount === 0;
  return !frame.hidden;
}

function showOutput(value) {
  showPictures(value);
  const shown = showAnswer(value) || !part("pictures").hidden;
  part("problem").hidden = true;
  part("output").textContent = JSON.stringify(shortened(value), null, 2);
  part("output-frame").open = !shown;
  part("output-frame").hidden = false;
}

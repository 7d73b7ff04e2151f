// The form that invokes a worklet: builds the JSON body, shows the output, and puts each fault at its field.
"use strict";

const form = document.querySelector("form[data-try]");
const result = document.querySelector("[data-result]");
const part = (name) => result.querySelector(`[data-${name}]`);
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

// The values as a request: a form if there are files, which then travel as they are, else JSON.
async function request(value) {
  const entries = value && typeof value === "object" ? Object.entries(value) : [];
  if (entries.some(([, inner]) => inner instanceof File)) {
    const data = new FormData();
    for (const [name, inner] of entries)
      data.append(name, inner instanceof File || typeof inner === "string" ? inner : JSON.stringify(await plain(inner)));
    return { body: data, headers: { accept: "application/json" } };
  }
  return {
    body: JSON.stringify(await plain(value)),
    headers: { "content-type": "application/json", accept: "application/json" },
  };
}

// The value with each file in it as a data URL.
async function plain(value) {
  if (value instanceof File) return dataUrl(value);
  if (Array.isArray(value)) return Promise.all(value.map(plain));
  if (!value || typeof value !== "object") return value;
  const entries = await Promise.all(Object.entries(value).map(async ([key, inner]) => [key, await plain(inner)]));
  return Object.fromEntries(entries);
}

async function values() {
  let whole = {};
  let sound = true;
  for (const field of form.querySelectorAll(".field")) {
    const path = JSON.parse(field.dataset.path);
    try {
      const value = await valueOf(field);
      if (value === MISSING) continue;
      if (path.length === 0) {
        whole = value;
        continue;
      }
      let inner = whole;
      for (const step of path.slice(0, -1)) {
        if (!Object.hasOwn(inner, step)) inner[step] = {};
        inner = inner[step];
      }
      Object.defineProperty(inner, path.at(-1), { value, enumerable: true, configurable: true, writable: true });
    } catch (error) {
      if (!(error instanceof FieldFault)) throw error;
      tell(field, error.message);
      sound = false;
    }
  }
  return sound ? { whole } : null;
}

function tell(field, text) {
  const place = field.querySelector("[data-fault]");
  place.textContent = [place.textContent, text].filter(Boolean).join(" ");
  control(field).setAttribute("aria-invalid", "true");
}

function clearFaults() {
  for (const field of form.querySelectorAll(".field")) {
    field.querySelector("[data-fault]").textContent = "";
    control(field).removeAttribute("aria-invalid");
  }
}

// The field whose path is the longest beginning of the fault's place.
function fieldAt(place) {
  const steps = place.map(String);
  if (["body", "input"].includes(steps[0]) && steps.length > 1 && !fieldFor(steps)) steps.shift();
  return fieldFor(steps);
}

function fieldFor(steps) {
  let best = null;
  let length = 0;
  for (const field of form.querySelectorAll(".field")) {
    const path = JSON.parse(field.dataset.path);
    if (path.length > length && path.every((step, number) => steps[number] === step)) {
      best = field;
      length = path.length;
    }
  }
  return best;
}

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

function showOutput(value) {
  showPictures(value);
  part("problem").hidden = true;
  part("output").textContent = JSON.stringify(shortened(value), null, 2);
  part("output-frame").hidden = false;
}

function showProblem(problem) {
  const box = part("problem");
  box.replaceChildren();
  const title = document.createElement("strong");
  title.textContent = problem.title || "The worklet failed";
  const detail = document.createElement("p");
  detail.textContent = problem.detail || "";
  box.append(title, detail);
  const rest = document.createElement("ul");
  let first = null;
  for (const fault of problem.errors || []) {
    const text = fault.fix ? `${fault.msg} ${fault.fix}` : fault.msg;
    const field = fieldAt(fault.loc || []);
    if (field) {
      tell(field, text);
      first ??= field;
      continue;
    }
    const item = document.createElement("li");
    item.textContent = [(fault.loc || []).join("."), text].filter(Boolean).join(": ");
    rest.append(item);
  }
  if (rest.childElementCount) box.append(rest);
  if (first) control(first).focus();
  box.hidden = false;
  part("pictures").hidden = true;
  part("output-frame").hidden = true;
}

function showFacts(response, seconds) {
  const facts = part("facts");
  facts.replaceChildren(`${seconds < 1 ? Math.round(seconds * 1000) + " ms" : seconds.toFixed(1) + " s"}`);
  const run = response?.headers.get("x-run-id");
  if (!run) return;
  const link = document.createElement("a");
  link.href = `/console/runs/${encodeURIComponent(run)}?wait=1`;
  link.textContent = `run ${run.slice(-8)}`;
  facts.append(" · ", link);
}

async function run() {
  const found = await values();
  if (found === null) {
    form.querySelector("[aria-invalid]").focus();
    return;
  }
  const began = performance.now();
  let response = null;
  try {
    response = await fetch(form.dataset.try, { method: "POST", ...(await request(found.whole)) });
    const text = await response.text();
    let answer;
    try {
      answer = text === "" ? null : JSON.parse(text);
    } catch {
      answer = response.ok ? text : { title: `Status ${response.status}`, detail: text.slice(0, 500) };
    }
    if (response.ok) showOutput(answer);
    else showProblem(answer ?? { title: `Status ${response.status}` });
  } catch (error) {
    showProblem({ title: "The server was not reached", detail: `${error.message}. Is it still running?` });
  }
  showFacts(response, (performance.now() - began) / 1000);
  result.hidden = false;
  if (!form.querySelector("[aria-invalid]")) result.scrollIntoView({ block: "nearest" });
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("[type=submit]");
  const progress = form.querySelector("[data-progress]");
  clearFaults();
  button.disabled = true;
  const slow = setTimeout(() => (progress.textContent = "Running…"), 250);
  try {
    await run();
  } finally {
    clearTimeout(slow);
    progress.textContent = "";
    button.disabled = false;
  }
});

form.addEventListener("change", async (event) => {
  const field = event.target.closest("[data-control=image]");
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

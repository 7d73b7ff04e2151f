// The form that tries a worklet or a model: sends its values, shows the answer, and puts each fault at its field.
"use strict";

const form = document.querySelector("form[data-try]");
const result = document.querySelector("[data-result]");
const part = (name) => result.querySelector(`[data-${name}]`);

// The values as a request: for a model `{"inputs": ...}`; for a worklet a form if there are files, which then travel as they are, else JSON.
async function request(value) {
  if (form.dataset.wrap) value = { [form.dataset.wrap]: await plain(value) };
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

function tell(field, text, cell = null) {
  const place = field.querySelector("[data-fault]");
  const words = cell ? `${cell.ariaLabel}: ${text}` : text;
  place.textContent = [place.textContent, words].filter(Boolean).join(" ");
  if (cell || !field.querySelector("[aria-invalid]")) (cell ?? control(field)).setAttribute("aria-invalid", "true");
}

// The cell of a grid that a fault's place ends in: row and column, or, in a table, also column and row.
function cellAt(field, place) {
  if (field.dataset.control !== "grid") return null;
  const { columns, body } = gridOf(field);
  const steps = place.map(String);
  let [row, column] = steps.slice(steps.indexOf(JSON.parse(field.dataset.path).at(-1)) + 1);
  if (field.dataset.kind === "records" && columns.includes(row)) [row, column] = [column, row];
  const at = field.dataset.kind === "records" ? columns.indexOf(column) : Number(column);
  return body.rows[Number(row)]?.cells[at]?.querySelector("input") ?? null;
}

function clearFaults() {
  for (const field of form.querySelectorAll(".field")) {
    field.querySelector("[data-fault]").textContent = "";
    field.querySelectorAll("[aria-invalid]").forEach((input) => input.removeAttribute("aria-invalid"));
  }
}

// The field whose path is the longest beginning of the fault's place.
function fieldAt(place) {
  const steps = place.map(String);
  if (["body", "input", "inputs"].includes(steps[0]) && steps.length > 1 && !fieldFor(steps)) steps.shift();
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

function showProblem(problem) {
  const box = part("problem");
  box.replaceChildren();
  const title = document.createElement("strong");
  title.textContent = problem.title || "It failed";
  const detail = document.createElement("p");
  detail.textContent = problem.detail || "";
  box.append(title, detail);
  const rest = document.createElement("ul");
  let first = null;
  for (const fault of problem.errors || []) {
    const text = fault.fix ? `${fault.msg} ${fault.fix}` : fault.msg;
    const field = fieldAt(fault.loc || []);
    if (field) {
      const cell = cellAt(field, fault.loc);
      tell(field, text, cell);
      first ??= cell ?? control(field);
      continue;
    }
    const item = document.createElement("li");
    item.textContent = [(fault.loc || []).join("."), text].filter(Boolean).join(": ");
    rest.append(item);
  }
  if (rest.childElementCount) box.append(rest);
  first?.focus();
  box.hidden = false;
  part("pictures").hidden = true;
  part("answer").hidden = true;
  part("output-frame").hidden = true;
}

function showFacts(response, seconds) {
  const facts = part("facts");
  facts.replaceChildren(`${seconds < 1 ? Math.round(seconds * 1000) + " ms" : seconds.toFixed(1) + " s"}`);
  const version = response?.headers.get("x-model-version");
  if (version) facts.append(` · version ${version}`);
  const run = response?.headers.get("x-run-id");
  if (!run) return;
  const link = document.createElement("a");
  link.href = `/console/runs/${encodeURIComponent(run)}?wait=1`;
  link.textContent = `run ${run.slice(-8)}`;
  facts.append(" · ", link);
}

async function run(set) {
  const found = await values();
  if (found === null) {
    form.querySelector("[aria-invalid]").focus();
    return;
  }
  if (set) found.whole = { ...found.whole, ...set }; // what the pressed button stands for
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
    if (response.ok && form.dataset.then) return location.assign(form.dataset.then);
    if (response.ok) showOutput(form.dataset.unwrap ? answer[form.dataset.unwrap] : answer);
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
  const button = event.submitter ?? form.querySelector("[type=submit]");
  const progress = form.querySelector("[data-progress]");
  clearFaults();
  button.disabled = true;
  const slow = setTimeout(() => (progress.textContent = "Running…"), 250);
  try {
    await run(button.dataset.set ? JSON.parse(button.dataset.set) : null);
  } finally {
    clearTimeout(slow);
    progress.textContent = "";
    button.disabled = false;
  }
});

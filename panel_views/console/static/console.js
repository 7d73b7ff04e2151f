// Copying, confirmed actions, and filters that apply at once. Every page works without.
"use strict";

document.documentElement.classList.add("script");

function toast(text, bad = false) {
  document.querySelectorAll(".toast").forEach((old) => old.remove());
  const box = document.createElement("div");
  box.className = bad ? "toast bad" : "toast";
  box.setAttribute("role", bad ? "alert" : "status");
  box.textContent = text;
  document.body.append(box);
  setTimeout(() => box.remove(), bad ? 12000 : 3500);
}

function confirmed(text) {
  const dialog = document.createElement("dialog");
  const paragraph = document.createElement("p");
  paragraph.textContent = text;
  paragraph.id = "confirm-text";
  dialog.setAttribute("aria-labelledby", "confirm-text");
  const buttons = document.createElement("div");
  const no = document.createElement("button");
  no.textContent = "Cancel";
  const yes = document.createElement("button");
  yes.textContent = "Go ahead";
  yes.className = "primary";
  buttons.append(no, yes);
  dialog.append(paragraph, buttons);
  document.body.append(dialog);
  return new Promise((resolve) => {
    no.onclick = () => dialog.close("no");
    yes.onclick = () => dialog.close("yes");
    dialog.onclose = () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    };
    dialog.showModal();
  });
}

async function problemText(response) {
  try {
    const problem = await response.json();
    const faults = (problem.errors || []).map((fault) => fault.msg).join(" ");
    return [problem.detail || problem.title, faults].filter(Boolean).join(" ") || `Status ${response.status}.`;
  } catch {
    return `The server answered with status ${response.status}.`;
  }
}

async function send(address, method, body) {
  const options = { method, headers: { "content-type": "application/json" }, body: method === "DELETE" ? undefined : body };
  const response = await fetch(address, options);
  if (!response.ok) throw new Error(await problemText(response));
  return response.status === 204 ? {} : response.json();
}

function again(done) {
  if (done) sessionStorage.setItem("toast", done);
  location.reload();
}

// What the server tells once only: in a dialog, to be copied, until it is closed.
function showOnce(words, secret) {
  const dialog = document.createElement("dialog");
  dialog.className = "once";
  dialog.setAttribute("aria-labelledby", "once-words");
  dialog.innerHTML = '<p id="once-words"></p><div class="code"><pre tabindex="0"><code></code></pre></div><div class="dialog-end"><button type="button" data-copy>Copy</button><button type="button" class="primary">Done</button></div>';
  dialog.querySelector("p").textContent = words;
  dialog.querySelector("pre").setAttribute("aria-label", "To copy");
  dialog.querySelector("code").textContent = secret;
  dialog.querySelector(".primary").onclick = () => dialog.close();
  document.body.append(dialog);
  return new Promise((resolve) => {
    dialog.onclose = () => (dialog.remove(), resolve());
    dialog.showModal();
  });
}

async function act(button) {
  if (button.dataset.confirm && !(await confirmed(button.dataset.confirm))) return;
  button.disabled = true;
  try {
    const told = await send(button.dataset.post, button.dataset.method || "POST", button.dataset.body);
    if (button.dataset.show) await showOnce(button.dataset.says, told[button.dataset.show]);
    else return again(button.dataset.done);
  } catch (error) {
    toast(error.message, true);
  }
  button.disabled = false;
}

function bodyOf(form) {
  const body = {};
  for (const field of form.elements) {
    if (!field.name) continue;
    const value = field.type === "checkbox" ? field.checked : field.value;
    if ("number" in field.dataset) body[field.name] = value === "" ? null : Number(value);
    else if ("words" in field.dataset) body[field.name] = value.split(/[\s,]+/).filter(Boolean);
    else body[field.name] = value;
    if ("words" in field.dataset && !body[field.name].length) body[field.name] = null;
  }
  return JSON.stringify(body);
}

async function submit(form) {
  const fault = form.querySelector("[data-fault]");
  const button = form.querySelector("[type=submit]");
  fault.textContent = "";
  button.disabled = true;
  try {
    const told = await send(form.dataset.api, form.dataset.method || "POST", bodyOf(form));
    if (form.dataset.show && told[form.dataset.show]) await showOnce(form.dataset.says, told[form.dataset.show]);
    return again(form.dataset.done);
  } catch (error) {
    fault.textContent = error.message;
  }
  button.disabled = false;
}

async function patch(select) {
  const before = [...select.options].find((option) => option.defaultSelected)?.value;
  try {
    await send(select.dataset.patch, "PATCH", JSON.stringify({ [select.dataset.field]: select.value }));
    again("Changed.");
  } catch (error) {
    select.value = before;
    toast(error.message, true);
  }
}

async function copy(button) {
  const code = (button.closest(".code") || button.closest("dialog")).querySelector("code");
  const text = code.textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https the clipboard is closed; a selection still is one keystroke from copied.
    getSelection().selectAllChildren(code);
    toast("Selected; press Ctrl+C to copy.");
    return;
  }
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.post) act(button);
  else if (button && "copy" in button.dataset) copy(button);
});
document.addEventListener("change", (event) => {
  if (event.target.dataset.patch) patch(event.target);
  else event.target.closest("[data-auto-submit]")?.requestSubmit();
});
document.addEventListener("formdata", (event) => {
  // A filter that is left open doesn't belong in the address.
  if (!("autoSubmit" in event.target.dataset)) return;
  for (const [name, value] of [...event.formData]) if (value === "") event.formData.delete(name);
});
document.addEventListener("submit", (event) => {
  if (!event.target.dataset.api) return;
  event.preventDefault();
  submit(event.target);
});
document.querySelectorAll("[data-tabs]").forEach((tabs) => {
  const buttons = [...tabs.querySelectorAll("[role=tab]")];
  const choose = (chosen) =>
    buttons.forEach((button) => {
      button.ariaSelected = String(button === chosen);
      button.tabIndex = button === chosen ? 0 : -1;
      document.getElementById(button.getAttribute("aria-controls")).classList.toggle("later", button !== chosen);
    });
  tabs.addEventListener("click", (event) => event.target.role === "tab" && choose(event.target));
  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step || event.target.role !== "tab") return;
    const next = buttons[(buttons.indexOf(event.target) + step + buttons.length) % buttons.length];
    choose(next);
    next.focus();
  });
});
document.querySelectorAll("time").forEach((time) => (time.title = new Date(time.dateTime).toLocaleString()));
const kept = sessionStorage.getItem("toast");
if (kept) {
  sessionStorage.removeItem("toast");
  toast(kept);
}

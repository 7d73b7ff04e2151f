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

async function act(button) {
  if (!(await confirmed(button.dataset.confirm))) return;
  button.disabled = true;
  try {
    const response = await fetch(button.dataset.post, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: button.dataset.body,
    });
    if (!response.ok) throw new Error(await problemText(response));
    sessionStorage.setItem("toast", button.dataset.done);
    location.reload();
  } catch (error) {
    toast(error.message, true);
    button.disabled = false;
  }
}

async function copy(button) {
  const text = button.closest(".code").querySelector("code").textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without https the clipboard is closed; a selection still is one keystroke from copied.
    getSelection().selectAllChildren(button.closest(".code").querySelector("code"));
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
document.addEventListener("change", (event) => event.target.closest("[data-auto-submit]")?.requestSubmit());
document.querySelectorAll("time").forEach((time) => (time.title = new Date(time.dateTime).toLocaleString()));
const kept = sessionStorage.getItem("toast");
if (kept) {
  sessionStorage.removeItem("toast");
  toast(kept);
}

// A click on a node of a drawn graph shows the node's page beside it, in a sheet; Escape closes it.
"use strict";

let sheet = null;
let shown = null; // the link that opened it: its address and its node
let asked = 0;

function links(node) {
  return document.querySelectorAll(`.node-link[data-node="${CSS.escape(node)}"]`);
}

function mark(node, on) {
  links(node).forEach((link) => link.classList.toggle("chosen", on));
}

function close() {
  if (!sheet || sheet.hidden) return;
  sheet.hidden = true;
  mark(shown.node, false);
  const link = [...links(shown.node)].find((each) => each.getClientRects().length);
  shown = null;
  if (sheet.contains(document.activeElement) || document.activeElement === document.body) link?.focus();
}

function opened() {
  if (!sheet) {
    sheet = document.createElement("aside");
    sheet.className = "node-sheet";
    sheet.setAttribute("aria-label", "Node");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet square node-close";
    button.setAttribute("aria-label", "Close");
    button.textContent = "×";
    button.onclick = close;
    const content = document.createElement("div");
    sheet.append(button, content);
    document.body.append(sheet);
    sheet.addEventListener("click", copy);
  }
  sheet.hidden = false;
  return sheet;
}

async function copy(event) {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  event.stopPropagation();
  await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
  button.textContent = "Copied";
}

async function fill(take) {
  const number = ++asked;
  const { address, node } = shown;
  const answer = await fetch(address);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (number !== asked || shown?.node !== node) return;
  const found = page.querySelector("[data-node-details]") || page.querySelector("main");
  const content = opened().lastElementChild;
  if (!take && String(getSelection()) !== "" && sheet.contains(getSelection().anchorNode)) return;
  const at = sheet.scrollTop;
  content.replaceChildren(found);
  sheet.scrollTop = take ? 0 : at;
  if (take) content.querySelector("h2, h1")?.focus({ preventScroll: true });
}

document.addEventListener("click", (event) => {
  const link = event.target.closest(".node-link");
  if (!link || event.button || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  if (shown) mark(shown.node, false);
  shown = { address: link.getAttribute("href"), node: link.dataset.node };
  mark(shown.node, true);
  fill(true).catch(() => location.assign(shown.address));
});

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && !document.querySelector("dialog[open]")) close();
});

// The page of a run that goes on is drawn again and again (live.js).
document.addEventListener("redrawn", () => {
  if (!shown) return;
  mark(shown.node, true);
  fill(false).catch(() => {});
});

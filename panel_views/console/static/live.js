// Pages of what has not ended: drawn again at each event of the run, or every few seconds, until the end.
"use strict";

const LIST_PAUSE = 3000;
const SHORTEST_PAUSE = 300;
const ENDED = ["completed", "failed", "timed-out", "cancelled"];
let drawnAt = 0;
let later = null;

// Whoever is choosing in a form, or marking text, is not disturbed.
function isBusy() {
  return document.querySelector("dialog[open], main details[open], main form:focus-within") || String(getSelection()) !== "";
}

async function redraw() {
  if (isBusy()) return;
  drawnAt = Date.now();
  const answer = await fetch(location.href);
  if (!answer.ok) return;
  const drawn = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
  const focused = document.activeElement?.closest("main") ? document.activeElement.id || document.activeElement.getAttribute("href") : null;
  if (isBusy() || !drawn) return;
  document.querySelector("main").replaceChildren(...drawn.childNodes);
  document.dispatchEvent(new Event("redrawn"));
  if (focused) document.querySelector(`main [id="${CSS.escape(focused)}"], main [href="${CSS.escape(focused)}"]`)?.focus();
}

// Many events come close together: the last of them is drawn, too.
function soon() {
  if (later) return;
  later = setTimeout(() => {
    later = null;
    redraw().catch(() => {});
  }, Math.max(0, SHORTEST_PAUSE - (Date.now() - drawnAt)));
}

const followed = document.querySelector("[data-follow]");
if (followed) {
  const events = new EventSource(followed.dataset.follow);
  events.addEventListener("run", (event) => {
    if (!ENDED.includes(JSON.parse(event.data).state)) return soon();
    events.close();
    location.replace(`${location.pathname}?wait=1`); // with the scripts of an ended run, once it is recorded
  });
} else if (document.querySelector("[data-under-way]")) {
  setInterval(() => document.visibilityState === "visible" && document.querySelector("[data-under-way]") && redraw().catch(() => {}), LIST_PAUSE);
}

// Doing the input of a run again: leads to the page of the new run, which compares the two.
"use strict";

document.querySelector("[data-replay]")?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  const button = form.querySelector("button");
  button.disabled = true;
  try {
    const version = form.querySelector("select").value;
    const { id } = await send(`${form.dataset.replay}?version=${encodeURIComponent(version)}`, "POST");
    location.assign(`/console/runs/${encodeURIComponent(id)}?wait=1`);
  } catch (error) {
    toast(error.message, true);
    button.disabled = false;
  }
});

// The page that shares a view: who may look goes to the server as one object, and the snippets follow the chosen link.
"use strict";

const who = document.querySelector("form[data-access]");
const words = (text) => text.split(/[\s,]+/).filter(Boolean);

function body() {
  const chosen = who.elements.who.value;
  const open = chosen === "public" || chosen === "private";
  return {
    public: chosen === "public",
    private: chosen === "private",
    role: open ? "viewer" : chosen,
    users: who.elements.users.value.split(",").map((name) => name.trim()).filter(Boolean),
    origins: words(who.elements.origins.value.toLowerCase()).map((origin) => origin.replace(/\/$/, "")),
  };
}

function fit() {
  who.querySelector("[data-private]").hidden = who.elements.who.value !== "private";
}

who.addEventListener("change", fit);
who.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fault = who.querySelector("[data-fault]");
  fault.textContent = "";
  try {
    await send(who.dataset.access, "PUT", JSON.stringify(body()));
    again("Saved.");
  } catch (error) {
    fault.textContent = error.message;
  }
});
fit();

const link = document.getElementById("snippet-link");
function snippets() {
  const { base, slug } = link.dataset;
  const token = link.value;
  const title = link.dataset.title.replace(/&/g, "&amp;").replace(/"/g, "&quot;");
  document.querySelector("#snippet-script code").textContent =
    `<script src="${base}/embed.js" data-view="${slug}"${token ? ` data-token="${token}"` : ""} async></script>`;
  document.querySelector("#snippet-frame code").textContent =
    `<iframe src="${base}/embed/${slug}${token ? `?token=${token}` : ""}" title="${title}" style="width: 100%; height: 700px; border: 0"></iframe>`;
}
link.addEventListener("change", snippets);
snippets();

// Publishing with a note, and the list of versions: what changed between two, and the way back.
import { button, dialog, h, toast } from "./dom.js"
import { call } from "./session.js"

const when = (text) => new Date(text).toLocaleString([], { dateStyle: "medium", timeStyle: "short" })
const SOURCES = { builder: "in the builder", project: "by a push", api: "by the API" }

const shortly = (value) => {
  const text = value === null || value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value)
  return text.length > 90 ? `${text.slice(0, 89)}…` : text
}

function changesList(changes) {
  if (!changes.length) return h("p", { class: "empty", text: "There is no difference." })
  return h("ul", { class: "changes" }, changes.map((line) => h("li", { class: line.kind },
    h("strong", { text: line.text[0].toUpperCase() + line.text.slice(1) }),
    line.before !== null && line.after !== null ? h("span", {}, h("del", { text: shortly(line.before) }), " → ", h("ins", { text: shortly(line.after) })) : null)))
}

export async function publishDialog(session, published) {
  await session.idle()
  const { draft } = session
  const changes = draft.published === null ? null : (await call("GET", `${session.base}/diff`)).changes
  return dialog("Publish", (body, close) => {
    const note = h("textarea", { rows: 2, maxlength: 1000, placeholder: "What is new, for the list of versions", "aria-label": "Note" })
    const said = h("p", { class: "fault", role: "alert", hidden: true })
    let over = null
    const go = async () => {
      try {
        const made = await call("POST", `${session.base}/draft/publish`, { base: session.draft.revision, note: note.value.trim(), over })
        close(made)
        published(made)
      } catch (problem) {
        said.hidden = false
        said.textContent = problem.message
        const newer = /over=(\d+)/.exec(problem.message)
        if (newer) {
          over = Number(newer[1])
          submit.lastChild.textContent = `Replace version ${over}`
        }
      }
    }
    const submit = button("Publish", go, { kind: "primary" })
    body.append(
      h("p", { class: "muted", text: changes === null ? "People can open the view once it is published." : "People see this the next time they open the view." }),
      changes === null ? "" : h("div", { class: "diff" }, h("h3", { text: `${changes.length} ${changes.length === 1 ? "change" : "changes"} since version ${draft.published}` }), changesList(changes)),
      h("label", {}, "Note", note), said, h("div", { class: "end" }, button("Cancel", () => close()), submit))
  })
}

export async function versionsDialog(session) {
  await session.idle()
  const { versions } = await call("GET", `${session.base}/versions`)
  return dialog("Versions", (body, close) => {
    const diff = h("div", { class: "diff" })
    const compare = async (from, to, title) => {
      try {
        const { changes } = await call("GET", `${session.base}/diff?from=${from}&to=${to}`)
        diff.replaceChildren(h("h3", { text: title }), changesList(changes))
      } catch (problem) {
        diff.replaceChildren(h("p", { class: "fault", text: problem.message }))
      }
    }
    const back = async (number) => {
      const made = await call("POST", `${session.base}/rollback`, { to: number })
      close()
      await session.load()
      toast(`Version ${number} is live again, as version ${made.version}.`, { kind: "good" })
    }
    const discard = async () => {
      const { draft } = await call("DELETE", `${session.base}/draft?base=${session.draft.revision}`)
      close()
      if (draft) session.adopt(draft)
      else location.assign("/console/views")
    }
    const row = (version, index) => h("li", { class: version.live ? "live" : "" },
      h("div", {}, h("strong", { text: `Version ${version.number}` }), version.live ? h("span", { class: "tag good", text: "live" }) : null,
        h("p", { text: version.note || "No note" }), h("small", { class: "muted", text: `${when(version.at)} · ${version.by || "unknown"} ${SOURCES[version.source] ?? ""}` })),
      h("div", { class: "row-end" },
        versions[index + 1] ? button("Changes", () => compare(versions[index + 1].number, version.number, `What version ${version.number} changed`), { kind: "small" }) : null,
        version.live ? null : button("Compare with the draft", () => compare(version.number, "draft", `From version ${version.number} to the draft`), { kind: "small" }),
        version.live ? null : button("Roll back", () => back(version.number), { kind: "small" })))
    const { draft } = session
    body.append(h("div", { class: "two" }, h("ul", { class: "versions" },
      draft.unpublished ? h("li", { class: "draft" }, h("div", {}, h("strong", { text: "Draft" }), h("p", { text: `Revision ${draft.revision}` }), h("small", { class: "muted", text: `Changed by ${draft.updated_by}, ${when(draft.updated_at)}` })),
        h("div", { class: "row-end" }, draft.published !== null ? button("Changes", () => compare("published", "draft", "What publishing would change"), { kind: "small" }) : null, button(draft.published === null ? "Delete the view" : "Discard", discard, { kind: "small danger" }))) : null,
      versions.map(row), versions.length ? null : h("li", { class: "empty", text: "Nothing has been published yet." })), diff))
    if (draft.unpublished && draft.published !== null) compare("published", "draft", "What publishing would change")
    else diff.append(h("p", { class: "empty", text: "Choose “Changes” to see what a version changed." }))
  }, { wide: true })
}

// The draft as this browser tab has it: changes are shown at once, sent one after the other, and taken back or made
// again. Somebody else's change is taken in where it does not touch the same thing, and told where it does.
import { applied, clash, target } from "./documents.js"

const PRESENCE_MS = 4000
const UNDO_STEPS = 200

export class Problem extends Error {
  constructor(problem, status) {
    super(problem.detail ?? `The server answered with status ${status}.`)
    this.status = status
    this.faults = problem.errors ?? []
  }
}

// Documents leave out what is at its default; a page's name is needed here.
const whole = (fresh) => ({ ...fresh, document: { ...fresh.document, pages: fresh.document.pages.map((page) => ({ id: "main", components: [], ...page })) } })

export async function call(method, path, body, options = {}) {
  let response
  try {
    const headers = body === undefined ? {} : { "content-type": "application/json" }
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), ...options })
  } catch {
    throw new Problem({ detail: "The server can't be reached just now." }, 0)
  }
  const text = await response.text()
  let answer = {}
  try { answer = text ? JSON.parse(text) : {} } catch { answer = { detail: "The server's answer can't be read." } }
  if (!response.ok) throw new Problem(answer, response.status)
  return answer
}

// `tell(kind, details)` hears of: changed, saving, people, refused, conflict, others, lost.
export function openSession(slug, tell) {
  const base = `/api/views/${encodeURIComponent(slug)}`
  const client = Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("")
  const queue = []
  const done = []
  const undone = []
  let draft = null // as the server has it
  let shown = null // with what is still on its way
  let busy = false
  let selected = ""

  const show = (operations = null) => {
    shown = queue.reduce((view, batch) => batch.operations.reduce(applied, view), draft.document)
    tell("changed", operations)
  }

  async function load() {
    draft = whole(await call("GET", `${base}/draft`))
    show([])
    return draft
  }

  // Answers whether the change was made.
  function commit(operations, { label = "", from = "user", clear = false } = {}) {
    if (!operations.length) return Promise.resolve(true)
    return new Promise((resolve) => {
      queue.push({ operations, label, from, clear, resolve })
      show(operations)
      work()
    })
  }

  async function work() {
    if (busy) return
    busy = true
    tell("saving", true)
    while (queue.length) {
      const batch = queue[0]
      const outcome = await send(batch)
      queue.shift()
      if (outcome) remember(batch, outcome)
      else queue.splice(0).forEach((later) => later.resolve(false))
      show(outcome ? null : [])
      batch.resolve(!!outcome)
    }
    busy = false
    tell("saving", false)
  }

  async function send(batch, again = true) {
    const body = { base: draft.revision, operations: batch.operations, client, clear: batch.clear }
    try {
      const answer = await call("POST", `${base}/draft/operations`, body)
      draft = whole(answer)
      return answer
    } catch (problem) {
      if (problem.status === 409 && again) return settle(batch, problem)
      if (problem.status === 0) tell("lost", problem)
      else tell("refused", { problem, batch })
      return null
    }
  }

  // Somebody was faster. What they did is taken in; this change is made to it, unless both are about the same thing.
  async function settle(batch, problem) {
    const { changes } = await call("GET", `${base}/draft/changes?since=${draft.revision}`)
    draft = whole(await call("GET", `${base}/draft`))
    const theirs = changes.flatMap((change) => change.operations.map(target))
    const unknown = changes.some((change) => !change.operations.length)
    if (unknown || clash(batch.operations.map(target), theirs)) {
      tell("conflict", { problem, changes, again: () => commit(batch.operations, batch) })
      return null
    }
    tell("others", changes)
    return send(batch, changes.length > 0)
  }

  function remember(batch, answer) {
    const step = { undo: answer.undo, label: batch.label }
    if (batch.from === "undo") undone.push(step)
    else {
      done.push(step)
      if (done.length > UNDO_STEPS) done.shift()
      if (batch.from === "user") undone.length = 0
    }
    if (answer.also.length && batch.from === "user") tell("also", answer.also)
  }

  async function idle() {
    while (busy) await new Promise((resolve) => setTimeout(resolve, 15))
  }

  async function step(stack, from) {
    await idle()
    const last = stack.pop()
    if (!last) return false
    return commit(last.undo, { label: last.label, from })
  }

  async function here() {
    if (document.visibilityState === "hidden") return
    try {
      const seen = await call("POST", `${base}/draft/presence`, { client, selected })
      tell("people", seen.people)
      if (!busy && draft && seen.revision > draft.revision) await follow()
    } catch (problem) {
      tell("lost", problem)
    }
  }

  async function follow() {
    const { changes } = await call("GET", `${base}/draft/changes?since=${draft.revision}`)
    if (busy) return
    const fresh = await call("GET", `${base}/draft`)
    if (busy) return
    draft = whole(fresh)
    show([])
    const theirs = changes.filter((change) => change.client !== client)
    if (theirs.length) tell("others", theirs)
  }

  const timer = setInterval(here, PRESENCE_MS)
  addEventListener("visibilitychange", here)
  addEventListener("pagehide", () => {
    clearInterval(timer)
    fetch(`${base}/draft/presence`, { method: "DELETE", keepalive: true, body: JSON.stringify({ client }), headers: { "content-type": "application/json" } })
  })

  return {
    base, load, commit, idle, here, follow,
    undo: () => step(done, "undo"),
    redo: () => step(undone, "redo"),
    canUndo: () => done.length > 0,
    canRedo: () => undone.length > 0,
    nextUndo: () => done.at(-1)?.label ?? "",
    nextRedo: () => undone.at(-1)?.label ?? "",
    select: (id) => { selected = id },
    get view() { return shown },
    get draft() { return draft },
    adopt(fresh) { draft = whole(fresh); show([]) },
  }
}

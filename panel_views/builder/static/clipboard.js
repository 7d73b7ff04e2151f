// Copy and paste: within a view, to another page, to another view, and between browser tabs of this server.
import { childrenOf, componentOf, componentsOf, freshId, pageOf, placeOf, within } from "./documents.js"
import { bottomOf } from "./layout.js"

const KEY = "worklets.builder.copied"

export function copied(view, selection) {
  const chosen = [...selection].map((id) => componentOf(view, id)).filter(Boolean)
  const page = (part) => view.pages.find((each) => (each.components ?? []).includes(part))
  const held = new Set(chosen.flatMap((part) => [...within(page(part), [part.id])]))
  const inside = componentsOf(view).filter((part) => held.has(part.id) && !selection.has(part.id))
  return structuredClone([...chosen, ...inside])
}

export function keep(parts) {
  try { localStorage.setItem(KEY, JSON.stringify(parts)) } catch { /* a full or closed storage: paste has nothing then */ }
}

export function kept() {
  try { return JSON.parse(localStorage.getItem(KEY) ?? "[]") } catch { return [] }
}

// The operations that add copies to a page, below what is there: new names, and what they read of each other follows.
export function pasteOperations(view, pageId, parts) {
  if (!parts.length) return { operations: [], ids: [] }
  const page = pageOf(view, pageId)
  const names = new Map()
  for (const part of parts) names.set(part.id, freshId(view, part.id.replace(/\d+$/, "") || "part", new Set(names.values())))
  const top = Math.min(...parts.filter((part) => !names.has(part.parent)).map((part) => placeOf(part).y))
  const there = new Set((page.components ?? []).map((part) => part.id))
  const operations = parts.map((part) => {
    const made = renamed(part, names)
    const parent = names.get(part.parent) ?? (there.has(part.parent) ? part.parent : null)
    delete made.parent
    if (parent) made.parent = parent
    if (!names.has(part.parent)) {
      const bottom = bottomOf(childrenOf(page, parent).map(placeOf))
      made.at = { ...placeOf(part), y: bottom + placeOf(part).y - top }
    }
    return made
  }).map((component) => ({ op: "add", page: page.id, component }))
  return { operations, ids: [...names.values()] }
}

function renamed(part, names) {
  const follow = (value) => {
    if (Array.isArray(value)) return value.map(follow)
    if (value === null || typeof value !== "object") return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => {
      if (key === "component" && names.has(inner)) return [key, names.get(inner)]
      if (key === "expr" && typeof inner === "string") return [key, inner.replace(/\bcomponents\.([A-Za-z][A-Za-z0-9_]*)/g, (all, id) => (names.has(id) ? `components.${names.get(id)}` : all))]
      return [key, follow(inner)]
    }))
  }
  const { properties, ...rest } = part
  return { ...follow(rest), ...(properties ? { properties: structuredClone(properties) } : {}), id: names.get(part.id) }
}

// What the mouse does on the sheet: select, move, resize, draw a frame around several, and drop what comes from the
// palette or the data. Everything ends in one list of operations. Escape ends a gesture without one.
import { h } from "./dom.js"
import { childrenOf, pageOf, placeOf, within } from "./documents.js"
import { clampPlace, COLUMNS, freeColumns, makeRoom } from "./layout.js"

const SLACK = 4
const EDGE = 48

export function makeGestures({ canvas, state, select, commit }) {
  const page = () => pageOf(state.view, state.page)
  const part = (id) => (page().components ?? []).find((each) => each.id === id)

  // Follows the pointer until it is let go. `move` hears the sheet's coordinates; `end(false)` means Escape.
  function follow(event, { move, end }) {
    let last = event
    let begun = false
    const origin = { x: event.clientX, y: event.clientY }
    const tick = () => {
      const box = canvas.scroller.getBoundingClientRect()
      const speed = last.clientY < box.top + EDGE ? -1 : last.clientY > box.bottom - EDGE ? 1 : 0
      const over = last.clientX > box.left && last.clientX < box.right
      if (begun && speed && over) {
        canvas.scroller.scrollTop += speed * 10
        move(canvas.point(last), last)
      }
    }
    const timer = setInterval(tick, 16)
    const onMove = (now) => {
      last = now
      if (!begun && Math.hypot(now.clientX - origin.x, now.clientY - origin.y) < SLACK) return
      if (!begun) document.body.classList.add("dragging")
      begun = true
      move(canvas.point(now), now)
    }
    const stop = (fine) => {
      clearInterval(timer)
      removeEventListener("pointermove", onMove)
      removeEventListener("pointerup", onUp)
      removeEventListener("pointercancel", onCancel)
      removeEventListener("keydown", onKey, true)
      document.body.classList.remove("dragging")
      canvas.mark(null)
      end(fine && begun, last)
    }
    const onUp = () => stop(true)
    const onCancel = () => stop(false)
    const onKey = (key) => {
      if (key.key !== "Escape") return
      key.preventDefault()
      key.stopPropagation()
      stop(false)
    }
    addEventListener("pointermove", onMove)
    addEventListener("pointerup", onUp)
    addEventListener("pointercancel", onCancel)
    addEventListener("keydown", onKey, true)
  }

  // --- on the sheet -------------------------------------------------------------------------------------------

  canvas.sheet.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return
    const handle = event.target.closest("[data-handle]")
    const box = event.target.closest("[data-box]")
    if (handle && box) return resize(event, box.dataset.box, handle.dataset.handle)
    if (box) return press(event, box)
    lasso(event)
  })

  function press(event, box) {
    event.preventDefault()
    box.focus({ preventScroll: true })
    const id = box.dataset.box
    const several = event.shiftKey || event.ctrlKey || event.metaKey
    const had = state.selection.has(id)
    if (several) {
      const next = new Set(state.selection)
      if (had) next.delete(id)
      else next.add(id)
      select(next)
      return
    }
    if (!had) select(new Set([id]))
    move(event, id, () => { if (had && state.selection.size > 1) select(new Set([id])) })
  }

  function move(event, id, clicked) {
    // What stands in a selected container moves with it.
    const held = within(page(), state.selection)
    const ids = [...state.selection].filter((each) => part(each) && !held.has(each))
    const lead = ids.includes(id) ? id : ids.find((each) => within(page(), [each]).has(id))
    if (!lead || canvas.tracks(part(lead)?.parent ?? "")?.single) return
    const start = canvas.point(event)
    const rect = canvas.rects().get(lead)
    const grab = { x: start.x - rect.left, y: start.y - rect.top }
    const ghosts = ids.map((each) => ghost(canvas.boxOf(each)))
    let target = null
    follow(event, {
      move(at) {
        ghosts.forEach((each) => each.shift(at.x - start.x, at.y - start.y))
        const grid = canvas.gridAt(at.x, at.y, new Set([...ids, ...within(page(), ids)]))
        if (!grid) return
        const size = placeOf(part(lead))
        const place = clampPlace({ ...size, x: grid.nearestColumn(at.x - grab.x), y: grid.nearestRow(at.y - grab.y) })
        target = { grid, place }
        canvas.mark(grid, place)
      },
      end(fine) {
        ghosts.forEach((each) => each.remove())
        if (!fine) return clicked()
        if (target) drop(ids, lead, target)
      },
    })
  }

  function drop(ids, lead, { grid, place }) {
    const parent = grid.id || null
    const from = placeOf(part(lead))
    const shift = { x: place.x - from.x, y: place.y - from.y }
    const moved = Object.fromEntries(ids.map((id) => {
      const at = placeOf(part(id))
      return [id, clampPlace({ ...at, x: at.x + shift.x, y: at.y + shift.y })]
    }))
    commit(placed(page(), moved, parent), { label: ids.length > 1 ? "Move several" : "Move" })
  }

  function resize(event, id, side) {
    event.preventDefault()
    event.stopPropagation()
    const component = part(id)
    const grid = canvas.tracks(component.parent ?? "")
    const first = placeOf(component)
    const cell = canvas.cell(id)
    if (!grid || grid.single) return
    let now = first
    const dress = (place) => { for (const name of ["x", "y", "w", "h"]) cell?.style.setProperty(`--${name}`, place[name]) }
    follow(event, {
      move(at) {
        now = stretched(first, side, grid, at)
        dress(now)
        canvas.draw()
        canvas.mark(grid, now)
      },
      end(fine) {
        const changed = ["x", "y", "w", "h"].some((name) => now[name] !== first[name])
        if (!fine || !changed) { dress(first); canvas.draw(); return }
        commit(placed(page(), { [id]: now }, component.parent ?? null), { label: "Resize" })
      },
    })
  }

  function lasso(event) {
    event.preventDefault()
    const start = canvas.point(event)
    const frame = h("div", { class: "lasso" })
    canvas.sheet.append(frame)
    const add = event.shiftKey
    follow(event, {
      move(at) {
        frame.style.left = `${Math.min(at.x, start.x)}px`
        frame.style.top = `${Math.min(at.y, start.y)}px`
        frame.style.width = `${Math.abs(at.x - start.x)}px`
        frame.style.height = `${Math.abs(at.y - start.y)}px`
      },
      end(fine, last) {
        frame.remove()
        if (!fine) { if (!add) select(new Set()); return }
        const at = canvas.point(last)
        const box = { left: Math.min(at.x, start.x), top: Math.min(at.y, start.y), right: Math.max(at.x, start.x), bottom: Math.max(at.y, start.y) }
        const hit = [...canvas.rects()].filter(([, rect]) => rect.left < box.right && rect.left + rect.width > box.left && rect.top < box.bottom && rect.top + rect.height > box.top)
        const ids = hit.map(([id]) => id).filter((id) => part(id))
        // A container that holds the frame whole is where it was drawn, not what was meant.
        const meant = ids.filter((id) => {
          const rect = canvas.rects().get(id)
          return !(rect.left < box.left && rect.top < box.top && rect.left + rect.width > box.right && rect.top + rect.height > box.bottom)
        })
        select(new Set([...(add ? state.selection : []), ...meant]))
      },
    })
  }

  // --- from outside ---------------------------------------------------------------------------------------------

  // Drags something new in: `make(place, parent)` says what becomes of it, `size` how large it is.
  function bring(event, { label, size, make }) {
    event.preventDefault()
    const chip = h("div", { class: "chip-ghost", text: label })
    chip.style.left = "-999px"
    document.body.append(chip)
    let target = null
    follow(event, {
      move(at, now) {
        chip.style.left = `${now.clientX + 12}px`
        chip.style.top = `${now.clientY + 10}px`
        const box = canvas.scroller.getBoundingClientRect()
        const over = now.clientX > box.left && now.clientX < box.right && now.clientY > box.top && now.clientY < box.bottom
        const grid = over ? canvas.gridAt(at.x, at.y) : null
        if (!grid) { target = null; canvas.mark(null); return }
        const wide = grid.id ? Math.min(12, size.w >= 6 ? 12 : size.w * 2) : size.w
        const place = fitted(grid, at, { w: wide, h: size.h })
        target = { place, parent: grid.id || null }
        canvas.mark(grid, place)
      },
      end(fine) {
        chip.remove()
        if (fine && target) make(target.place, target.parent)
      },
    })
  }

  // Where something new goes: as wide as it is used to be, or as the free columns under the pointer are.
  function fitted(grid, at, { w, h: high }) {
    const column = Math.min(COLUMNS - 1, Math.max(0, grid.columnAt(at.x)))
    const y = grid.rowAt(at.y)
    const free = freeColumns(childrenOf(page(), grid.id || null).map(placeOf), column, y, high)
    const wide = free && free.w >= 2 ? Math.min(w, free.w) : w
    const [low, top] = free && free.w >= 2 ? [free.x, free.x + free.w - wide] : [0, COLUMNS - wide]
    return clampPlace({ x: Math.min(Math.max(low, column - Math.floor(wide / 2)), top), y, w: wide, h: high })
  }

  return { bring }
}

function stretched({ x, y, w, h: high }, side, grid, at) {
  let [left, top, right, bottom] = [x, y, x + w, y + high]
  if (side.includes("e")) right = Math.max(left + 1, Math.min(12, grid.nearestColumn(at.x + grid.gap / 2)))
  if (side.includes("w")) left = Math.min(right - 1, Math.max(0, grid.nearestColumn(at.x)))
  if (side.includes("s")) bottom = Math.max(top + 1, grid.nearestRow(at.y))
  if (side.includes("n")) top = Math.min(bottom - 1, Math.max(0, grid.nearestRow(at.y)))
  return clampPlace({ x: left, y: top, w: right - left, h: bottom - top })
}

function ghost(box) {
  if (!box) return { shift() {}, remove() {} }
  const copy = h("div", { class: "ghost" })
  for (const name of ["left", "top", "width", "height"]) copy.style[name] = box.style[name]
  box.parentElement.append(copy)
  return { shift: (x, y) => { copy.style.transform = `translate(${x}px, ${y}px)` }, remove: () => copy.remove() }
}

// The operations that put components at places of a container, and whoever is in their way further down.
export function placed(page, places, parent) {
  const there = Object.fromEntries(childrenOf(page, parent).map((part) => [part.id, placeOf(part)]))
  const pushed = makeRoom({ ...there, ...places }, new Set(Object.keys(places)))
  const all = { ...places, ...pushed }
  const before = Object.fromEntries((page.components ?? []).map((part) => [part.id, part]))
  return Object.entries(all).filter(([id, at]) => {
    const had = before[id]
    const same = ["x", "y", "w", "h"].every((name) => placeOf(had)[name] === at[name])
    return !same || (had.parent ?? null) !== parent
  }).map(([id, at]) => ({ op: "move", id, at, parent }))
}

// Where components stand on the grid of twelve columns: who makes room for whom. Knows nothing of the page.

export const COLUMNS = 12

export const clampPlace = ({ x, y, w, h }) => {
  const wide = Math.min(Math.max(1, w), COLUMNS)
  return { x: Math.min(Math.max(0, x), COLUMNS - wide), y: Math.min(Math.max(0, y), 500), w: wide, h: Math.min(Math.max(1, h), 100) }
}

const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h

// The places of `parts` ({id: place}) when those in `fixed` stay where they are: whoever is in their way moves down,
// and whoever is in the way of these. Answers those that moved.
export function makeRoom(parts, fixed) {
  const settled = Object.entries(parts).filter(([id]) => fixed.has(id)).map(([, place]) => place)
  const rest = Object.entries(parts).filter(([id]) => !fixed.has(id)).sort(([, a], [, b]) => a.y - b.y || a.x - b.x)
  const moved = {}
  for (const [id, place] of rest) {
    const now = { ...place }
    for (let hit; (hit = settled.find((other) => overlap(now, other))); ) now.y = hit.y + hit.h
    settled.push(now)
    if (now.y !== place.y) moved[id] = now
  }
  return moved
}

// The first free place of that size, looked for row by row from `y`.
export function freePlace(places, { w, h }, y = 0) {
  for (let row = y; ; row += 1) {
    for (let x = 0; x + w <= COLUMNS; x += 1) {
      const place = { x, y: row, w, h }
      if (!places.some((other) => overlap(place, other))) return place
    }
  }
}

// The columns around `column` that are free over these rows, as {x, w}; none if the column itself is taken.
export function freeColumns(places, column, y, high) {
  const taken = (x) => places.some((place) => overlap({ x, y, w: 1, h: high }, place))
  if (taken(column)) return null
  let [left, right] = [column, column + 1]
  while (left > 0 && !taken(left - 1)) left -= 1
  while (right < COLUMNS && !taken(right)) right += 1
  return { x: left, w: right - left }
}

export const bottomOf = (places) => Math.max(0, ...places.map((place) => place.y + place.h))

// The places of several components lined up: left, right, top, the same width, or side by side over all columns.
export function aligned(places, how) {
  const all = Object.values(places)
  const left = Math.min(...all.map((place) => place.x))
  const right = Math.max(...all.map((place) => place.x + place.w))
  const top = Math.min(...all.map((place) => place.y))
  const widest = Math.max(...all.map((place) => place.w))
  if (how === "row") return sideBySide(places, top)
  const change = {
    left: (place) => ({ ...place, x: left }),
    right: (place) => ({ ...place, x: right - place.w }),
    top: (place) => ({ ...place, y: top }),
    width: (place) => ({ ...place, w: widest }),
  }[how]
  return Object.fromEntries(Object.entries(places).map(([id, place]) => [id, clampPlace(change(place))]))
}

function sideBySide(places, y) {
  const order = Object.entries(places).sort(([, a], [, b]) => a.x - b.x || a.y - b.y)
  const each = Math.max(1, Math.floor(COLUMNS / order.length))
  const tallest = Math.max(...order.map(([, place]) => place.h))
  return Object.fromEntries(order.map(([id], number) => [id, clampPlace({ x: (number * each) % COLUMNS, y, w: each, h: tallest })]))
}

// The drawn graph: choosing nodes and lines, drawing lines with the mouse or a finger, and the keys for the same.
"use strict";

// `hands` is told: chosen(id), chosenWire(source, target), connected(source, target), removed().
function editCanvas(frame, hands) {
  let drawnFrom = null;
  let pointer = null;
  const narrow = matchMedia("(max-width: 640px)");

  function svg() {
    return frame.querySelector("svg");
  }

  function show(drawings, wrong, chosen) {
    const scrolled = [frame.scrollLeft, frame.scrollTop];
    const focused = document.activeElement?.closest?.("#edit-canvas [data-node]")?.dataset.node;
    const parsed = new DOMParser().parseFromString(drawings[narrow.matches ? "down" : "right"], "text/html");
    frame.replaceChildren(...parsed.body.childNodes);
    [frame.scrollLeft, frame.scrollTop] = scrolled;
    for (const id of wrong) box(id)?.classList.add("wrong");
    mark(chosen);
    if (focused) box(focused)?.focus({ preventScroll: true });
  }

  function box(id) {
    return frame.querySelector(`[data-node="${CSS.escape(id)}"]`);
  }

  function mark(chosen) {
    frame.querySelectorAll(".chosen").forEach((each) => each.classList.remove("chosen"));
    if (!chosen) return;
    if (chosen.node) box(chosen.node)?.classList.add("chosen");
    else frame.querySelector(`.wire[data-source="${CSS.escape(chosen.source)}"][data-target="${CSS.escape(chosen.target)}"]`)?.classList.add("chosen");
  }

  function point(event) {
    return new DOMPoint(event.clientX, event.clientY).matrixTransform(svg().getScreenCTM().inverse());
  }

  frame.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest(".handle");
    if (!handle || event.button) return;
    event.preventDefault();
    drawnFrom = { name: handle.dataset.from, x: Number(handle.getAttribute("cx")), y: Number(handle.getAttribute("cy")) };
    svg().classList.add("drawing");
    pointer = null;
    follow();
  });

  function targetAt(event) {
    const found = document.elementFromPoint(event.clientX, event.clientY)?.closest("#edit-canvas [data-node]");
    const name = found?.dataset.node;
    return name && name !== drawnFrom.name && name !== INPUT ? found : null;
  }

  addEventListener("pointermove", (event) => {
    if (!drawnFrom) return;
    const { x, y } = point(event);
    svg().querySelector(".rubber").setAttribute("d", `M${drawnFrom.x} ${drawnFrom.y}L${x} ${y}`);
    frame.querySelectorAll(".over").forEach((each) => each.classList.remove("over"));
    targetAt(event)?.classList.add("over");
    pointer = event;
  });

  // What a line is drawn to may lie beyond the edge of the frame: it scrolls while the pointer is held there.
  function follow() {
    if (!drawnFrom) return;
    if (pointer && !targetAt(pointer)) {
      const around = frame.getBoundingClientRect();
      const beyond = (at, low, high) => (at < low + 30 ? -8 : at > high - 30 ? 8 : 0);
      frame.scrollBy(beyond(pointer.clientX, around.left, around.right), beyond(pointer.clientY, around.top, around.bottom));
    }
    requestAnimationFrame(follow);
  }

  function stop() {
    drawnFrom = null;
    svg()?.classList.remove("drawing");
    svg()?.querySelector(".rubber").setAttribute("d", "");
    frame.querySelectorAll(".over").forEach((each) => each.classList.remove("over"));
  }

  addEventListener("pointerup", (event) => {
    if (!drawnFrom) return;
    const source = drawnFrom.name;
    const target = targetAt(event)?.dataset.node;
    stop();
    if (target) hands.connected(source, target);
  });
  addEventListener("pointercancel", stop);

  function choose(element) {
    const wire = element.closest(".wire");
    if (wire) return hands.chosenWire(wire.dataset.source, wire.dataset.target);
    const node = element.closest("[data-node]");
    return node ? hands.chosen(node.dataset.node) : hands.chosen(null);
  }

  frame.addEventListener("click", (event) => {
    if (!event.target.closest(".handle")) choose(event.target);
  });
  frame.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      choose(event.target);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      event.preventDefault();
      choose(event.target);
      hands.removed();
    }
  });
  return { show, mark, reveal: (id) => box(id)?.scrollIntoView({ block: "nearest", inline: "nearest" }) };
}

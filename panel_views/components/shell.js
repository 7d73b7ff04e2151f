// Around the components: takes the skeleton away once they are drawn, and says when the connection is lost.
const stage = document.getElementById("stage")
const lost = document.querySelector(".lost")

function watch(view) {
  view.on_event("connection_lost", () => { lost.hidden = false })
  view.on_event("client_reconnected", () => { lost.hidden = true })
}

function wait() {
  const [view] = window.Bokeh?.documents ?? []
  if (!view) return setTimeout(wait, 30)
  const drawn = () => stage.classList.add("drawn")
  if (view.is_idle) drawn()
  else view.idle.connect(drawn)
  watch(view)
}
wait()

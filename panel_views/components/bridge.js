// See bridge.py: what the page around a view's frame says goes to the server, what the view sends goes out.
import { begin, sendEvent } from "./frame.js"

export default {
  render({ model }) {
    begin((params) => model.send_msg({ params }))
    model.on("msg:custom", ({ event, data }) => sendEvent(event, data))
    return document.createElement("div")
  },
}

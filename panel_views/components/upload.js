// Files go to /api/files directly: they do not pass the websocket.
import { withTicket } from "./kit.js"

// The address that the file got. `onPart` is told the share that has gone; `stop` ends it.
export function upload(file, onPart, stop = new AbortController().signal) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open("POST", withTicket(`/api/files?name=${encodeURIComponent(file.name ?? "file")}`))
    request.responseType = "json"
    request.setRequestHeader("content-type", file.type || "application/octet-stream")
    request.upload.onprogress = (event) => event.lengthComputable && onPart(event.loaded / event.total)
    request.onerror = () => reject(new Error("The server can't be reached; check your connection and try again."))
    request.onload = () => {
      const answer = request.response ?? {}
      if (request.status === 401) reject(new Error("Your session has ended; reload the page to sign in again."))
      else if (request.status >= 300) reject(new Error(answer.detail ?? `The server refused the file (status ${request.status}).`))
      else resolve(answer.url)
    }
    stop.addEventListener("abort", () => { request.abort(); reject(new DOMException("stopped", "AbortError")) })
    request.send(file)
  })
}

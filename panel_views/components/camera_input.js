// A picture from the camera: it goes to /api/files as a JPEG, and the value is its address.
import { field } from "./field.js"
import { h, icon, safeSource } from "./kit.js"
import { upload } from "./upload.js"

const REASONS = {
  NotAllowedError: "The camera was refused; allow it in the browser's settings for this page.",
  NotFoundError: "This device has no camera.",
  NotReadableError: "The camera is in use by another program.",
}

export default field(`
  .zone { position: relative; flex: 1; min-height: 200px; border-radius: 12px; overflow: hidden; background: var(--sunken); border: 1px solid var(--line); }
  .zone > .start { position: absolute; inset: 0; width: 100%; display: flex; flex-direction: column; align-items: center; justify-content: center; gap: 8px; border: 0; background: none; color: var(--muted); font-size: 14px; }
  .start .icon { width: 28px; height: 28px; stroke-width: 1.4; } .start:hover:enabled { background: var(--accent-soft); color: var(--ink); }
  .start:focus-visible { outline-offset: -3px; border-radius: 12px; } video, img { position: absolute; inset: 0; width: 100%; height: 100%; object-fit: contain; background: #101114; }
  .tools { position: absolute; left: 0; right: 0; bottom: 14px; display: flex; justify-content: center; gap: 10px; }
  .tools button { min-height: 40px; padding: 0 16px; border: 0; border-radius: 20px; background: rgb(20 20 22 / .72); color: #fff; font-size: 14px; font-weight: 600; backdrop-filter: blur(6px); } .tools .take { background: #fff; color: #16171a; }
`, ({ slot, send, complain }) => {
  let props = {}
  let stream = null
  const video = h("video", { playsinline: true, muted: true, hidden: true })
  video.muted = true
  const picture = h("img", { alt: "The picture taken", hidden: true })
  const start = h("button", { type: "button", class: "start", onclick: open }, icon("camera"), h("span", { text: "Start the camera" }))
  const shutter = h("button", { type: "button", class: "take", text: "Take the picture", onclick: take })
  const cancel = h("button", { type: "button", text: "Cancel", onclick: () => { close(); paint() } })
  const again = h("button", { type: "button", text: "Take another", onclick: open })
  const remove = h("button", { type: "button", text: "Remove", onclick: () => send("value", null) })
  const tools = h("div", { class: "tools" }, shutter, cancel, again, remove)
  slot.append(h("div", { class: "zone" }, start, video, picture, tools))

  function paint() {
    const source = safeSource(props.value)
    const live = stream !== null
    video.hidden = shutter.hidden = cancel.hidden = !live
    picture.hidden = again.hidden = remove.hidden = live || !source
    start.hidden = live || Boolean(source)
    tools.hidden = !live && !source
    if (source) picture.src = source
  }

  function close() {
    for (const track of stream?.getTracks() ?? []) track.stop()
    stream = null
  }

  async function open() {
    complain(null)
    if (!navigator.mediaDevices) return complain("The browser gives a camera to pages with https only.")
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: props.facing }, audio: false })
      video.srcObject = stream
      await video.play()
    } catch (error) {
      close()
      complain(REASONS[error.name] ?? "The camera can't be started.")
    }
    paint()
  }

  async function take() {
    const scale = Math.min(1, props.max_width / video.videoWidth)
    const canvas = h("canvas", { width: Math.round(video.videoWidth * scale), height: Math.round(video.videoHeight * scale) })
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height)
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.92))
    close()
    try {
      send("value", await upload(new File([blob], "camera.jpg", { type: "image/jpeg" }), () => {}))
    } catch (error) {
      complain(error.message)
    }
    paint()
  }

  addEventListener("pagehide", close)
  return (next) => { props = next; paint() }
}, { group: true, fill: true })

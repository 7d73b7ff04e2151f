import { player } from "./player.js"

export default player("video", "film")

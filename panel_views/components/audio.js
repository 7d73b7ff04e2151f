import { player } from "./player.js"

export default player("audio", "sound")

// `html` is made by the server from Markdown with HTML switched off (see markdown.py).
import { component, h } from "./kit.js"

export default component(`
  .prose { overflow-wrap: anywhere; color: var(--ink); }
  .prose > :first-child { margin-top: 0; } .prose > :last-child { margin-bottom: 0; }
  p, ul, ol, pre, table, blockquote { margin: 0 0 12px; }
  h1, h2, h3, h4 { margin: 20px 0 8px; line-height: 1.3; letter-spacing: -0.01em; }
  h1 { font-size: 24px; } h2 { font-size: 20px; } h3, h4 { font-size: 16px; }
  a { color: var(--accent); text-underline-offset: 2px; }
  code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, monospace; background: var(--sunken); padding: 1px 5px; border-radius: 5px; }
  pre { background: var(--sunken); padding: 12px 16px; border-radius: 10px; overflow: auto; } pre code { padding: 0; }
  blockquote { border-left: 3px solid var(--line); padding-left: 14px; color: var(--muted); }
  img { max-width: 100%; border-radius: 10px; }
  table { border-collapse: collapse; } th, td { padding: 6px 12px; border-bottom: 1px solid var(--line); text-align: left; }
`, ({ root }) => {
  const body = h("div", { class: "prose" })
  root.append(body)
  return (props) => { body.innerHTML = props.html ?? "" }
})

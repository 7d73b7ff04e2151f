// HTML that the server made from Markdown with HTML switched off (see markdown.py): the one place that takes HTML.
import { h } from "./kit.js"

export const PROSE_CSS = `
  .prose { overflow-wrap: anywhere; } .prose > :first-child { margin-top: 0; } .prose > :last-child { margin-bottom: 0; }
  .prose :is(p, ul, ol, pre, table, blockquote) { margin: 0 0 12px; }
  .prose :is(h1, h2, h3, h4) { margin: 20px 0 8px; line-height: 1.3; letter-spacing: -0.01em; }
  .prose h1 { font-size: 24px; } .prose h2 { font-size: 20px; } .prose :is(h3, h4) { font-size: 16px; }
  .prose a { color: var(--accent); text-underline-offset: 2px; }
  .prose code { font: 13px/1.5 ui-monospace, SFMono-Regular, Menlo, monospace; background: var(--sunken); padding: 1px 5px; border-radius: 5px; }
  .prose pre { background: var(--sunken); padding: 12px 16px; border-radius: 10px; overflow: auto; } .prose pre code { padding: 0; }
  .prose blockquote { border-left: 3px solid var(--line); padding-left: 14px; color: var(--muted); } .prose img { max-width: 100%; border-radius: 10px; }
  .prose table { border-collapse: collapse; } .prose :is(th, td) { padding: 6px 12px; border-bottom: 1px solid var(--line); text-align: left; }
`

export function prose(html) {
  const body = h("div", { class: "prose" })
  body.innerHTML = html ?? ""
  return body
}

// The code editor: CodeMirror with a document for each file, so that each has its own undo and its own place.
"use strict";

// `changed(file, text)` is told of what people type.
function editCode(place, tabs, changed) {
  const documents = new Map();
  let shown = null;
  let quiet = false;
  const editor = CodeMirror(place, {
    mode: "python", lineNumbers: true, indentUnit: 4, viewportMargin: Infinity, lineWrapping: false,
    extraKeys: {
      Tab: (own) => (own.somethingSelected() ? own.execCommand("indentMore") : own.execCommand("insertSoftTab")),
      "Shift-Tab": "indentLess",
      Esc: () => tabs.querySelector("[aria-selected=true]")?.focus(), // else the keyboard could never leave
    },
  });
  editor.getInputField().setAttribute("aria-label", "Code. Escape leaves the editor.");
  editor.on("change", (own) => {
    if (!quiet && shown) changed(shown, own.getValue());
  });

  function show(file) {
    if (!documents.has(file)) return;
    shown = file;
    quiet = true;
    editor.swapDoc(documents.get(file));
    quiet = false;
    for (const tab of tabs.children) {
      tab.setAttribute("aria-selected", String(tab.textContent === file));
      tab.tabIndex = tab.textContent === file ? 0 : -1;
    }
  }

  function set(files) {
    quiet = true;
    for (const [file, text] of Object.entries(files)) {
      if (!documents.has(file)) documents.set(file, CodeMirror.Doc(text, "python"));
      else if (documents.get(file).getValue() !== text) documents.get(file).setValue(text);
    }
    for (const file of documents.keys()) if (!(file in files)) documents.delete(file);
    quiet = false;
    if (tabs.children.length !== documents.size || [...tabs.children].some((tab) => !documents.has(tab.textContent))) {
      tabs.replaceChildren(...[...documents.keys()].map((file) => made("button", {
        type: "button", class: "quiet mono", role: "tab", onclick: () => show(file),
      }, file)));
    }
    show(documents.has(shown) ? shown : documents.keys().next().value);
  }

  tabs.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const all = [...tabs.children];
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    next.click();
  });

  function mark(faults) {
    for (const [file, own] of documents) {
      own.getAllMarks().forEach((each) => each.clear());
      for (const fault of faults) {
        if (fault.file !== file || !fault.line) continue;
        const line = Math.min(fault.line, own.lineCount()) - 1;
        own.markText({ line, ch: 0 }, { line, ch: own.getLine(line).length + 1 }, { className: "code-wrong" });
      }
    }
  }

  function reveal(file, line, focus = false) {
    show(file);
    const own = documents.get(file);
    if (!own) return;
    own.setCursor({ line: line - 1, ch: 0 });
    editor.scrollIntoView({ line: line - 1, ch: 0 }, 60);
    if (focus) editor.focus();
  }

  return { set, mark, reveal, refresh: () => editor.refresh() };
}

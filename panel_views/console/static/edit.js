// Editing a worklet: the draft, its undo, and what the page's parts tell each other. The server draws and checks it.
"use strict";

(async () => {
  const place = document.getElementById("edit");
  if (!place) return;
  const element = (id) => document.getElementById(`edit-${id}`);
  const { name } = place.dataset;
  const api = `/api/worklets/${encodeURIComponent(name)}/edit`;
  const kept = `worklet-edit:${name}`;
  const suggest = { model: JSON.parse(place.dataset.models), worklet: JSON.parse(place.dataset.worklets) };
  document.body.append(made("div", { id: "edit-lists", hidden: true }));

  const answer = await fetch(api + (place.dataset.version ? `?version=${place.dataset.version}` : ""));
  if (!answer.ok) return toast(await problemText(answer), true);
  const begun = await answer.json();
  const kinds = new Map(begun.kinds.map((each) => [each.kind, each]));
  let draft = { document: whole(begun.document), files: begun.files, base: begun.base, live: begun.live };
  let original = JSON.stringify(draft);
  let checked = { faults: begun.faults, functions: begun.functions, arguments: begun.arguments };
  let refused = []; // faults that only the code told, when it was to be saved
  let chosen = null;
  let undone = [];
  let done = [];
  let typing = null; // the file and time of the last letter: letters that come together are undone together
  let asked = 0;
  const page = {
    name, api, kinds, suggest, post, change, removeChosen,
    options: begun.options,
    tried: new Map(), // what each node was tried with, and what came of it
    get draft() { return draft; },
    get checked() { return checked; },
    get chosen() { return chosen; },
    set chosen(next) { chosen = next; },
  };
  const forms = { ...nodeForms(page), ...workletForms(page) };

  function whole(document) {
    return { inputs: [], nodes: [], ...document };
  }

  // --- changes --------------------------------------------------------------------------------------

  function change(make) {
    done.push(JSON.stringify(draft));
    if (done.length > 200) done.shift();
    undone = [];
    typing = null;
    draft = JSON.parse(JSON.stringify(draft));
    make(draft.document, draft.files);
    for (const node of draft.document.nodes) node.arguments ||= {};
    changed();
  }

  function go(from, to) {
    if (!from.length) return;
    to.push(JSON.stringify(draft));
    draft = JSON.parse(from.pop());
    typing = null;
    if (chosen?.node && chosen.node[0] !== "$" && !nodeOf(draft.document, chosen.node)) chosen = null;
    changed();
  }

  function changed({ fromCode = false } = {}) {
    refused = [];
    if (!fromCode) code.set(draft.files);
    const text = JSON.stringify(draft);
    if (text === original) localStorage.removeItem(kept);
    else localStorage.setItem(kept, text);
    if (!fromCode) showInspector();
    buttons();
    check();
  }

  function buttons() {
    const isNew = JSON.stringify(draft) !== original;
    element("undo").disabled = !done.length;
    element("redo").disabled = !undone.length;
    element("discard").disabled = !isNew;
    const sound = !checked.faults.length && draft.document.nodes.length > 0;
    element("save").disabled = !sound || !isNew;
    element("publish").disabled = !sound || (!isNew && draft.base === draft.live);
    element("state").textContent = isNew ? "not saved; kept in this browser" : "";
  }

  let waiting = null;
  function check(pause = 60) {
    clearTimeout(waiting);
    waiting = setTimeout(() => draw().catch((error) => toast(String(error.message || error), true)), pause);
  }

  async function draw() {
    const number = ++asked;
    const response = await post(`/console/worklets/${encodeURIComponent(name)}/edit/drawn`, draft);
    if (number !== asked) return;
    const before = JSON.stringify([checked.arguments, checked.functions]);
    checked = response;
    canvas.show(checked.drawn, faultyNodes(), chosen);
    showFaults();
    if (before !== JSON.stringify([checked.arguments, checked.functions])) showInspector();
    buttons();
  }

  class Refused extends Error {
    constructor(problem) {
      super(problem.detail || problem.title || "The server refused it.");
      this.faults = problem.errors || [];
    }
  }

  async function post(address, body) {
    const response = await fetch(address, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
    const content = await response.json().catch(() => ({ detail: `Status ${response.status}.` }));
    if (!response.ok) throw new Refused(content);
    return content;
  }

  // --- faults ---------------------------------------------------------------------------------------

  function allFaults() {
    return [...checked.faults, ...refused];
  }

  function faultyNodes() {
    return new Set(allFaults().map((fault) => fault.node).filter(Boolean));
  }

  function showFaults() {
    const faults = allFaults();
    code.mark(faults);
    const list = made("ul", { class: "plain" }, ...faults.map((fault) => {
      const where = fault.node || (fault.file ? `${fault.file}:${fault.line}` : (fault.pointer || "").slice(1).replaceAll("/", " ") || "worklet");
      return made("li", {}, made("button", { type: "button", class: "fault-line", onclick: () => reveal(fault) },
        made("strong", {}, where), ` ${fault.msg}`, fault.fix ? made("span", { class: "muted" }, ` ${fault.fix}`) : null));
    }));
    const none = draft.document.nodes.length ? "None that can be told without running the code." : "Add a node to begin with.";
    element("faults").replaceChildren(faults.length ? list : made("p", { class: "empty" }, none));
  }

  function reveal(fault) {
    if (fault.file && fault.file in draft.files) code.reveal(fault.file, fault.line || 1, true);
    if (fault.node && nodeOf(draft.document, fault.node)) choose({ node: fault.node });
    else if (fault.pointer === "/output") choose({ node: OUTPUT });
    else if (!fault.file) choose({ node: INPUT });
  }

  // --- choosing and connecting ----------------------------------------------------------------------

  function choose(next) {
    chosen = next;
    canvas.mark(chosen);
    showInspector();
    if (!chosen?.node) return;
    canvas.reveal(chosen.node);
    const found = checked.functions.find((each) => each.function === nodeOf(draft.document, chosen.node)?.function);
    if (found) code.reveal(found.file, found.line);
  }

  function removeChosen() {
    const what = chosen;
    if (!what) return;
    if (what.source) {
      chosen = null;
      change((document) => disconnect(document, what.source, what.target));
    } else if (nodeOf(draft.document, what.node)) {
      chosen = null;
      change((document) => removeNode(document, what.node));
    }
  }

  async function connected(source, target) {
    if (target === OUTPUT) {
      if (source !== INPUT) return change((document) => { document.output = { node: source }; });
      const input = await chosenOf("Which input is the output?", draft.document.inputs.map((each) => each.name));
      return input && change((document) => { document.output = { input }; });
    }
    const node = nodeOf(draft.document, target);
    if (isDecision(nodeOf(draft.document, source)) && !node.settings?.join) {
      const arms = [`if ${source} goes its way`, `if ${source} does not`];
      const arm = await chosenOf(`When does ${target} run?`, arms);
      return arm && change((document) => { nodeOf(document, target).when = { node: source, arm: arm === arms[0] }; });
    }
    const known = checked.arguments[target] || [];
    if (!known.length) return toast(`${target} takes nothing: give its code parameters first.`, true);
    const free = known.filter((each) => !node.arguments[each.name]);
    const required = free.filter((each) => each.required);
    const candidates = required.length === 1 ? required : free.length ? free : known;
    const argument = candidates.length === 1 ? candidates[0].name : await chosenOf(`Which argument of ${target}?`, candidates.map((each) => each.name));
    if (!argument) return;
    if (source !== INPUT) {
      change((document) => { nodeOf(document, target).arguments[argument] = { node: source }; });
      return choose({ node: target });
    }
    const inputs = draft.document.inputs.map((each) => each.name);
    const fresh = `new input “${freeName(argument, inputs)}”`;
    const input = !inputs.length ? fresh : await chosenOf(`Which input goes to ${argument}?`, [...inputs, fresh]);
    if (!input) return;
    change((document) => {
      const own = input === fresh ? addInput(document, argument, known.find((each) => each.name === argument)) : input;
      nodeOf(document, target).arguments[argument] = { input: own };
    });
    choose({ node: target });
  }

  // --- adding ---------------------------------------------------------------------------------------

  function add(kind) {
    let id = "";
    change((document, files) => {
      const taken = document.nodes.map((node) => node.id);
      const node = { id: "", kind, arguments: {}, settings: {} };
      for (const [key, part] of Object.entries(kinds.get(kind).schema.properties || {})) {
        if (part.default !== null && part.default !== undefined && part.default !== "") node.settings[key] = part.default;
      }
      if (kind === "node" || kind === "map") {
        node.function = addFunction(files, kind === "map" ? "each" : "step", kind === "map" ? "item" : "value");
        id = freeName(node.function.split(":")[1], taken);
        if (kind === "map") node.settings.over = "item";
      } else id = freeName({ call: "called", decide: "decide" }[kind] || kind, taken);
      node.id = id;
      document.nodes.push(node);
      if (kind === "decide") {
        const join = freeName("join", [...taken, id]);
        document.nodes.push({ id: join, kind, arguments: { decision: { node: id } }, settings: { join: true } });
      }
      chosen = { node: id };
    });
    choose({ node: id });
    element("inspector").querySelector("input, select")?.focus({ preventScroll: true });
  }

  // --- the inspector --------------------------------------------------------------------------------

  // A field tells its value as the mouse goes down elsewhere: what is pressed must still be there when it comes up.
  let pressed = false;
  let overdue = false;
  function released() {
    pressed = false;
    if (overdue) showInspector();
  }
  addEventListener("pointerdown", () => { pressed = true; }, true);
  for (const name of ["pointerup", "pointercancel"]) addEventListener(name, () => setTimeout(released), true);
  // The list of a choice takes the pointer, and gives no word of its coming up.
  addEventListener("change", (event) => { if (event.target.tagName === "SELECT") pressed = false; }, true);

  function showInspector() {
    overdue = pressed;
    if (pressed) return;
    const inside = element("inspector");
    const focus = inside.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    element("lists")?.replaceChildren();
    if (chosen?.source) inside.replaceChildren(...forms.wireForm());
    else if (chosen?.node && nodeOf(draft.document, chosen.node)) inside.replaceChildren(...forms.nodeForm(nodeOf(draft.document, chosen.node)));
    else inside.replaceChildren(...forms.workletForm());
    inside.querySelectorAll("input, select, textarea").forEach((control, number) => { control.dataset.key = String(number); });
    if (focus) inside.querySelector(`[data-key="${focus}"]`)?.focus({ preventScroll: true });
  }

  // --- saving ---------------------------------------------------------------------------------------

  async function save(publish) {
    if (publish && !(await confirmed(`Let this version of ${name} answer from now on?`))) return;
    const sent = draft;
    element("save").disabled = element("publish").disabled = true;
    try {
      const pushed = await post(`${api}?draft=${!publish}`, sent);
      const after = { base: pushed.version, live: pushed.live ? pushed.version : sent.live };
      original = JSON.stringify({ ...sent, ...after });
      draft = { ...draft, ...after };
      done = [];
      undone = [];
      element("base").textContent = `from v${pushed.version}${pushed.live ? ", live" : ", a draft"}`;
      toast(publish ? `v${pushed.version} answers now.` : `Saved as the draft v${pushed.version}.`);
      if (JSON.stringify(draft) === original) localStorage.removeItem(kept);
    } catch (error) {
      refused = error.faults || [];
      showFaults();
      canvas.show(checked.drawn, faultyNodes(), chosen);
      toast(error.message, true);
    }
    buttons();
  }

  // --- the start ------------------------------------------------------------------------------------

  const code = editCode(element("code"), element("files"), (file, text) => {
    const now = Date.now();
    if (!typing || typing.file !== file || now - typing.at > 1500) done.push(JSON.stringify(draft));
    typing = { file, at: now };
    undone = [];
    draft = { ...draft, files: { ...draft.files, [file]: text } };
    changed({ fromCode: true });
  });
  const canvas = editCanvas(element("canvas"), {
    chosen: (id) => choose(id ? { node: id } : null),
    chosenWire: (source, target) => choose({ source, target }),
    connected,
    removed: removeChosen,
  });
  element("undo").onclick = () => go(done, undone);
  element("redo").onclick = () => go(undone, done);
  element("save").onclick = () => save(false);
  element("publish").onclick = () => save(true);
  element("discard").onclick = async () => {
    if (!(await confirmed("Throw away what has not been saved?"))) return;
    localStorage.removeItem(kept);
    location.reload();
  };
  element("new-file").onclick = async () => {
    const file = await textOf("The file's name, such as texts.py");
    if (!file) return;
    if (!/^([A-Za-z_]\w*\/)*[A-Za-z_]\w*\.py$/.test(file) || file in draft.files) return toast(`${file} is no name for a new Python file.`, true);
    change((_, files) => { files[file] = "import prefect_worklets as pw\n"; });
    code.reveal(file, 1, true);
  };
  document.querySelectorAll("[data-add]").forEach((button) => { button.onclick = () => add(button.dataset.add); });
  document.addEventListener("keydown", (event) => {
    if (!(event.ctrlKey || event.metaKey) || event.target.closest("input, textarea, .CodeMirror, dialog")) return;
    if (event.key === "z" && !event.shiftKey) go(done, undone);
    else if (event.key === "y" || (event.key === "z" && event.shiftKey)) go(undone, done);
    else return;
    event.preventDefault();
  });

  const left = JSON.parse(localStorage.getItem(kept) || "null");
  if (left && left.base === draft.base && left.live === draft.live) {
    draft = left;
    toast("What was not saved is here again.");
  }
  code.set(draft.files);
  showInspector();
  buttons();
  await draw();
})();

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
  const tried = new Map(); // what each node was tried with

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

  function addInput(document, wanted, argument) {
    const input = { name: freeName(wanted, document.inputs.map((each) => each.name)) };
    if (argument?.document_type) input.type = argument.document_type;
    document.inputs.push(input);
    return input.name;
  }

  function chosenOf(question, options) {
    const dialog = made("dialog", { "aria-label": question }, made("p", {}, question));
    const list = made("div", { class: "choices" }, ...options.map((each) => made("button", { type: "button", onclick: () => dialog.close(each) }, each)));
    dialog.append(list, made("button", { type: "button", class: "quiet", onclick: () => dialog.close("") }, "Cancel"));
    document.body.append(dialog);
    return new Promise((resolve) => {
      dialog.onclose = () => {
        dialog.remove();
        resolve(dialog.returnValue);
      };
      dialog.showModal();
    });
  }

  function textOf(question) {
    const box = made("input", { class: "mono", spellcheck: false });
    const dialog = made("dialog", { "aria-label": question }, made("form", { method: "dialog", onsubmit: () => dialog.close(box.value.trim()) },
      labelled(question, box), made("div", {}, made("button", { type: "button", onclick: () => dialog.close("") }, "Cancel"), made("button", { class: "primary" }, "Add"))));
    document.body.append(dialog);
    return new Promise((resolve) => {
      dialog.onclose = () => {
        dialog.remove();
        resolve(dialog.returnValue);
      };
      dialog.showModal();
    });
  }

  // --- adding ---------------------------------------------------------------------------------------

  function ownFile(files) {
    const names = Object.keys(files);
    return names.find((each) => each.endsWith("_nodes.py")) || names.find((each) => files[each].includes(".node")) || names[0] || "nodes.py";
  }

  const moduleOf = (file) => file.replace(/\.py$/, "").replaceAll("/", ".");

  function addFunction(files, wanted, parameter = "value") {
    const file = ownFile(files);
    const taken = Object.values(files).join("\n");
    let label = wanted;
    for (let count = 2; new RegExp(`\\b${label}\\b`).test(taken); count += 1) label = `${wanted}_${count}`;
    const start = (files[file] || "import prefect_worklets as pw\n").trimEnd();
    files[file] = `${start}\n\n\n@pw.node\ndef ${label}(${parameter}):\n    return ${parameter}\n`;
    return `${moduleOf(file)}:${label}`;
  }

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
    if (chosen?.source) inside.replaceChildren(...wireForm());
    else if (chosen?.node && nodeOf(draft.document, chosen.node)) inside.replaceChildren(...nodeForm(nodeOf(draft.document, chosen.node)));
    else inside.replaceChildren(...workletForm());
    inside.querySelectorAll("input, select, textarea").forEach((control, number) => { control.dataset.key = String(number); });
    if (focus) inside.querySelector(`[data-key="${focus}"]`)?.focus({ preventScroll: true });
  }

  function title(text, kind) {
    return made("div", { class: "card-head" }, made("h2", { class: "breaks" }, text), made("span", { class: "tag" }, kind));
  }

  function wireForm() {
    const told = (each) => each.replace("$", "");
    return [title(`${told(chosen.source)} → ${told(chosen.target)}`, "line"),
      made("button", { type: "button", onclick: removeChosen }, "Disconnect")];
  }

  function nodeForm(node) {
    const { id } = node;
    const kind = kinds.get(node.kind);
    const edit = (make) => change((document) => make(nodeOf(document, id)));
    const parts = [title(id, node.kind === "node" ? "code" : node.kind)];
    if (kind) parts.push(made("p", { class: "note" }, node.settings?.join ? "Takes the value of the arm that was gone." : kind.about));
    const own = made("input", { value: id, class: "mono", spellcheck: false, onchange: () => rename(id, own.value.trim()) });
    parts.push(labelled("name", own));
    if (node.kind === "node" || node.kind === "map") parts.push(labelled("function", functionChoice(node)));
    if (kind && !node.settings?.join) {
      parts.push(...schemaFields(kind.schema, node.settings || {}, (key, value) => edit((each) => {
        each.settings ||= {};
        const usual = kind.schema.properties[key].default;
        if (value !== undefined) each.settings[key] = value;
        else if (usual === null || usual === undefined || usual === "") delete each.settings[key];
        else each.settings[key] = usual;
      }), suggest));
    }
    if (isDecision(node) && !node.settings?.failed) parts.push(caseField(node, edit));
    const others = otherSettings(node, kind);
    if (others) parts.push(others);
    parts.push(...argumentFields(node), moreOptions(node, edit), tryForm(node));
    parts.push(made("button", { type: "button", class: "remove", onclick: removeChosen }, "Delete node"));
    return parts;
  }

  function caseField(node, edit) {
    const has = "equals" in (node.settings || {});
    const box = made("input", { class: "mono", value: has ? JSON.stringify(node.settings.equals) : "", placeholder: "true", onchange: () => edit((each) => {
      each.settings ||= {};
      if (box.value.trim() === "") delete each.settings.equals;
      else each.settings.equals = readJson(box.value);
    }) });
    return labelled("goes its way if the value is", box, "JSON; empty is whatever Python takes for true.");
  }

  // What the kind's form has no field for, such as what a recovery is of: kept as it is, or changed as JSON.
  function otherSettings(node, kind) {
    const known = node.settings?.join ? [] : ["equals", ...Object.keys(kind?.schema.properties || {})];
    const rest = Object.entries(node.settings || {}).filter(([key]) => !known.includes(key) && key !== "hosts");
    if (!rest.length) return null;
    const box = made("input", { class: "mono", value: JSON.stringify(Object.fromEntries(rest)), onchange: () => {
      const value = readJson(box.value || "{}");
      if (!value || typeof value !== "object" || Array.isArray(value)) return toast("Write a mapping as JSON.", true);
      change((document) => {
        const own = nodeOf(document, node.id);
        const kept = Object.entries(own.settings).filter(([key]) => known.includes(key) || key === "hosts");
        own.settings = { ...Object.fromEntries(kept), ...value };
      });
    } });
    return labelled("other settings", box, "JSON");
  }

  function rename(from, to) {
    if (!to || from === to) return;
    if (nodeOf(draft.document, to)) return toast(`There is a node ${to} already.`, true);
    chosen = { node: to };
    change((document) => renameSource(document, "node", from, to));
  }

  function functionChoice(node) {
    const options = checked.functions.map((each) => [each.function, each.function.replace(":", " · ")]);
    if (node.function && !options.some(([key]) => key === node.function)) options.unshift([node.function, `${node.function} (not there)`]);
    return choice([...options, ["+", "new function…"]], node.function || "", (picked) => change((document, files) => {
      const own = nodeOf(document, node.id);
      own.function = picked === "+" ? addFunction(files, node.id.replace(/\W/g, "_").replace(/^(?=\d)/, "_") || "step") : picked;
      const found = checked.functions.find((each) => each.function === own.function);
      if (node.kind === "map" && found?.parameters.length) own.settings = { ...own.settings, over: found.parameters[0].name };
    }));
  }

  function argumentFields(node) {
    const known = checked.arguments[node.id] || [];
    const unknown = Object.keys(node.arguments).filter((key) => !known.some((each) => each.name === key));
    const all = [...known, ...unknown.map((key) => ({ name: key, required: false, type: "not taken" }))];
    if (!all.length) return [];
    return [made("h3", {}, "Arguments"), ...all.map((each) => argumentField(each.name, node.arguments[each.name], each, (next) => change((document) => {
      const own = nodeOf(document, node.id);
      if (next === undefined) delete own.arguments[each.name];
      else own.arguments[each.name] = next;
    }), node.id))];
  }

  function argumentField(key, argument, about, say, self) {
    const { inputs, nodes } = draft.document;
    const options = [["", about.required ? "— missing —" : "—"], ...inputs.map((each) => [`input:${each.name}`, `input ${each.name}`]),
      ...nodes.filter((each) => each.id !== self).map((each) => [`node:${each.id}`, each.id]), ["constant", "a value"], ["other", "made of several (JSON)"]];
    const source = isSource(argument) ? ("input" in argument ? `input:${argument.input}` : `node:${argument.node}`) : null;
    const now = !argument ? "" : source || ("constant" in argument ? "constant" : "other");
    if (source && !options.some(([each]) => each === source)) options.push([source, `${source} (not there)`]);
    const select = choice(options, now, (picked) => {
      if (!picked) return say(undefined);
      const [sort, ...rest] = picked.split(":");
      if (sort === "input" || sort === "node") say({ [sort]: rest.join(":") });
      else say(picked === "constant" ? { constant: sampleOf(about.type) } : { list: [] });
    });
    const fields = made("div", { class: "argument" }, select);
    if (source) {
      const part = made("input", { class: "mono", value: pathText(argument.path), placeholder: "whole, or a part: .lines[0]", "aria-label": `Part of ${key}`, onchange: () => {
        const path = pathOf(part.value);
        if (!path) return toast(`${part.value} is no part: write .name, [0] or ["key"].`, true);
        say({ ...argument, path: path.length ? path : undefined });
      } });
      fields.append(part);
    } else if (argument) {
      const shown = now === "constant" ? shownJson(argument.constant) : JSON.stringify(argument);
      const box = made("input", { class: "mono", value: shown, "aria-label": `Value of ${key}`, onchange: () => {
        const value = readJson(box.value);
        if (now === "constant") say({ constant: value });
        else if (value && typeof value === "object") say(value);
      } });
      fields.append(box);
    }
    return labelled(key, fields, about.type ? `${about.type}${about.required ? "" : ", optional"}` : null, select);
  }

  function moreOptions(node, edit) {
    const set = (key, value) => edit((each) => {
      if (value === undefined || value === null) delete each[key];
      else each[key] = value;
    });
    const decisions = draft.document.nodes.filter((each) => isDecision(each) && each.id !== node.id);
    const arms = [["", "always"], ...decisions.flatMap((each) => [[`1${each.id}`, `${each.id} goes its way`], [`0${each.id}`, `${each.id} does not`]])];
    const now = node.when ? `${node.when.arm ? 1 : 0}${node.when.node}` : "";
    const when = choice(arms, now, (picked) => set("when", picked ? { node: picked.slice(1), arm: picked[0] === "1" } : undefined));
    const fallback = made("input", { class: "mono", value: node.on_error ? shownJson(node.on_error.value ?? null) : "", placeholder: "fails the run", onchange: () => set("on_error", fallback.value === "" ? undefined : { value: readJson(fallback.value) }) });
    const fields = schemaFields(begun.options, node, set);
    const box = made("details", { class: "more" }, made("summary", { onclick: () => { moreOptions.open = !box.open; } }, "Retries, timeout and more"), ...fields,
      labelled("value if it fails", fallback, "JSON; empty fails the run."), decisions.length ? labelled("runs only if", when) : null);
    box.open = Boolean(node.when || node.on_error || node.retries || node.timeout) || moreOptions.open;
    return box;
  }

  // --- the worklet itself ---------------------------------------------------------------------------

  function workletForm() {
    const { document: own } = draft;
    const parts = [title(name, "worklet")];
    const text = (key, label, note) => {
      const box = made("input", { value: own[key] ?? "", onchange: () => change((document) => {
        if (box.value === "") delete document[key];
        else document[key] = key === "timeout" ? Number(box.value) : box.value;
      }) });
      if (key === "timeout") Object.assign(box, { type: "number", min: "0", step: "any" });
      return labelled(label, box, note);
    };
    parts.push(text("description", "description"), made("h3", {}, "Inputs"));
    own.inputs.forEach((input, number) => parts.push(inputFields(input, number)));
    parts.push(made("button", { type: "button", class: "small", onclick: () => change((document) => addInput(document, "value")) }, "Add an input"));
    parts.push(made("h3", {}, "Output"));
    parts.push(argumentField("output", own.output, { required: false, type: null }, (next) => change((document) => {
      if (next === undefined) delete document.output;
      else document.output = next;
    })));
    parts.push(text("output_type", "output type", "As in Python, a class as module:Name. Empty takes anything."), text("timeout", "timeout", "Seconds for the whole run."));
    parts.push(moreOfWorklet(own));
    return parts;
  }

  function moreOfWorklet(own) {
    const set = (key, value) => change((document) => {
      if (value === undefined) delete document[key];
      else document[key] = value;
    });
    const tags = made("input", { value: (own.tags || []).join(", "), placeholder: "one, two", onchange: () => {
      const found = tags.value.split(",").map((each) => each.trim()).filter(Boolean);
      set("tags", found.length ? found : undefined);
    } });
    const most = made("input", { type: "number", min: "1", step: "1", value: own.concurrency ?? "", onchange: () => set("concurrency", most.value ? Number(most.value) : undefined) });
    const triggers = made("textarea", { class: "mono", rows: 3, spellcheck: false, value: own.triggers ? JSON.stringify(own.triggers, null, 1) : "", placeholder: '[{"on": "cron", "schedule": "0 6 * * *"}]', onchange: () => {
      const found = triggers.value.trim() ? readJson(triggers.value) : undefined;
      if (found !== undefined && !Array.isArray(found)) return toast("Write the triggers as a JSON list.", true);
      set("triggers", found);
    } });
    const body = choice([["", "a mapping of all inputs"], ...own.inputs.map((each) => [each.name, `${each.name} itself`])], own.body || "", (picked) => set("body", picked || undefined));
    const box = made("details", { class: "more" }, made("summary", { onclick: () => { moreOfWorklet.open = !box.open; } }, "Schedules, tags and more"),
      labelled("triggers", triggers, "JSON: what starts it besides a call, such as schedules."), labelled("tags", tags),
      labelled("runs at once", most, "Of the submitted ones; empty is any number."), labelled("body of a request", body));
    box.open = Boolean(own.triggers?.length) || moreOfWorklet.open;
    return box;
  }

  function inputFields(input, number) {
    const edit = (make) => change((document) => make(document.inputs[number], document));
    const named = made("input", { class: "mono", value: input.name, "aria-label": `Name of input ${number + 1}`, onchange: () => change((document) => {
      const to = named.value.trim();
      renameSource(document, "input", input.name, to);
      document.inputs[number].name = to;
      if (document.body === input.name) document.body = to;
    }) });
    const type = made("input", { class: "mono", value: input.type || "", placeholder: "Any", "aria-label": `Type of ${input.name}`, onchange: () => edit((each) => {
      delete each.schema;
      if (type.value) each.type = type.value;
      else delete each.type;
    }) });
    const fallback = made("input", { class: "mono", value: input.required === false ? shownJson(input.default ?? null) : "", placeholder: "required", "aria-label": `Default of ${input.name}`, onchange: () => edit((each) => {
      delete each.default;
      delete each.required;
      if (fallback.value !== "") Object.assign(each, { required: false, default: readJson(fallback.value) });
    }) });
    const remove = made("button", { type: "button", class: "quiet", "aria-label": `Delete the input ${input.name}`, onclick: () => change((document) => removeInput(document, input.name)) }, "×");
    return made("div", { class: "input-row" }, named, type, fallback, remove);
  }

  // --- trying a node --------------------------------------------------------------------------------

  function tryForm(node) {
    if (["decide", "review"].includes(node.kind)) return null;
    const known = (checked.arguments[node.id] || []).filter((each) => each.required || node.arguments[each.name]);
    const state = tried.get(node.id) || {};
    const sample = Object.fromEntries(known.map((each) => [each.name, state.given?.[each.name] ?? sampleOf(each.type)]));
    const box = made("textarea", { class: "mono", rows: 3, spellcheck: false, value: state.text ?? JSON.stringify(sample), oninput: () => tried.set(node.id, { ...tried.get(node.id), text: box.value }) });
    const result = made("div", { class: "tried", role: "status" });
    const button = made("button", { type: "button", onclick: () => tryNode(node.id, box, button, result) }, "Try this node");
    if (state.shown) result.append(...state.shown());
    return made("div", { class: "try-node" }, made("h3", {}, "Try"), labelled("input", box, "What it saves and sends, it does."), button, result);
  }

  async function tryNode(id, box, button, result) {
    const given = readJson(box.value);
    if (!given || typeof given !== "object" || Array.isArray(given)) return toast('Write the input as JSON, as {"value": 1}.', true);
    button.disabled = true;
    result.replaceChildren("…");
    let shown;
    try {
      const found = await post(`${api}/try`, { draft, node: id, input: given });
      shown = () => triedParts(found);
    } catch (error) {
      shown = () => [made("p", { class: "fault" }, error.message), ...(error.faults || []).map((fault) => made("p", { class: "fault" }, `${(fault.loc || []).join(".")} ${fault.msg}`))];
    }
    tried.set(id, { text: box.value, shown });
    button.disabled = false;
    result.replaceChildren(...shown());
  }

  function triedParts(found) {
    const took = found.duration_us < 1000 ? `${found.duration_us} µs` : `${(found.duration_us / 1000).toFixed(1)} ms`;
    const parts = [made("p", { class: found.error ? "fault" : "muted" }, found.error ? found.error.detail : `${found.state} in ${took}`)];
    if (!found.error) parts.push(made("pre", { class: "mono sunken", tabIndex: 0, "aria-label": "Output" }, JSON.stringify(found.output, null, 2)));
    if (found.error?.traceback) parts.push(made("pre", { class: "mono sunken", tabIndex: 0, "aria-label": "Traceback" }, found.error.traceback));
    if (found.lines.length) parts.push(made("pre", { class: "mono sunken", tabIndex: 0, "aria-label": "Logs" }, found.lines.map(([, level, text]) => `${level} ${text}`).join("\n")));
    return parts;
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

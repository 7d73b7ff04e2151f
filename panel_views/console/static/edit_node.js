// The form of the node or the line that is chosen. `page` is the draft with what changes it (edit.js).
"use strict";

function nodeForms(page) {
  function wireForm() {
    const told = (each) => each.replace("$", "");
    return [formTitle(`${told(page.chosen.source)} → ${told(page.chosen.target)}`, "line"),
      made("button", { type: "button", onclick: page.removeChosen }, "Disconnect")];
  }

  function nodeForm(node) {
    const { id } = node;
    const kind = page.kinds.get(node.kind);
    const edit = (make) => page.change((document) => make(nodeOf(document, id)));
    const parts = [formTitle(id, node.kind === "node" ? "code" : node.kind)];
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
      }), page.suggest));
    }
    if (isDecision(node) && !node.settings?.failed) parts.push(caseField(node, edit));
    parts.push(otherSettings(node, kind), ...argumentFields(node), moreOptions(node, edit), nodeTrial(page, node));
    parts.push(made("button", { type: "button", class: "remove", onclick: page.removeChosen }, "Delete node"));
    return parts.filter(Boolean);
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
      page.change((document) => {
        const own = nodeOf(document, node.id);
        const kept = Object.entries(own.settings).filter(([key]) => known.includes(key) || key === "hosts");
        own.settings = { ...Object.fromEntries(kept), ...value };
      });
    } });
    return labelled("other settings", box, "JSON");
  }

  function rename(from, to) {
    if (!to || from === to) return;
    if (nodeOf(page.draft.document, to)) return toast(`There is a node ${to} already.`, true);
    page.chosen = { node: to };
    page.change((document) => renameSource(document, "node", from, to));
  }

  function functionChoice(node) {
    const options = page.checked.functions.map((each) => [each.function, each.function.replace(":", " · ")]);
    if (node.function && !options.some(([key]) => key === node.function)) options.unshift([node.function, `${node.function} (not there)`]);
    return choice([...options, ["+", "new function…"]], node.function || "", (picked) => page.change((document, files) => {
      const own = nodeOf(document, node.id);
      own.function = picked === "+" ? addFunction(files, node.id.replace(/\W/g, "_").replace(/^(?=\d)/, "_") || "step") : picked;
      const found = page.checked.functions.find((each) => each.function === own.function);
      if (node.kind === "map" && found?.parameters.length) own.settings = { ...own.settings, over: found.parameters[0].name };
    }));
  }

  function argumentFields(node) {
    const known = page.checked.arguments[node.id] || [];
    const unknown = Object.keys(node.arguments).filter((key) => !known.some((each) => each.name === key));
    const all = [...known, ...unknown.map((key) => ({ name: key, required: false, type: "not taken" }))];
    if (!all.length) return [];
    return [made("h3", {}, "Arguments"), ...all.map((each) => argumentField(page, each.name, node.arguments[each.name], each, (next) => page.change((document) => {
      const own = nodeOf(document, node.id);
      if (next === undefined) delete own.arguments[each.name];
      else own.arguments[each.name] = next;
    }), node.id))];
  }

  function moreOptions(node, edit) {
    const set = (key, value) => edit((each) => {
      if (value === undefined || value === null) delete each[key];
      else each[key] = value;
    });
    const decisions = page.draft.document.nodes.filter((each) => isDecision(each) && each.id !== node.id);
    const arms = [["", "always"], ...decisions.flatMap((each) => [[`1${each.id}`, `${each.id} goes its way`], [`0${each.id}`, `${each.id} does not`]])];
    const now = node.when ? `${node.when.arm ? 1 : 0}${node.when.node}` : "";
    const when = choice(arms, now, (picked) => set("when", picked ? { node: picked.slice(1), arm: picked[0] === "1" } : undefined));
    const fallback = made("input", { class: "mono", value: node.on_error ? shownJson(node.on_error.value ?? null) : "", placeholder: "fails the run", onchange: () => set("on_error", fallback.value === "" ? undefined : { value: readJson(fallback.value) }) });
    const fields = schemaFields(page.options, node, set);
    const box = made("details", { class: "more" }, made("summary", { onclick: () => { moreOptions.open = !box.open; } }, "Retries, timeout and more"), ...fields,
      labelled("value if it fails", fallback, "JSON; empty fails the run."), decisions.length ? labelled("runs only if", when) : null);
    box.open = Boolean(node.when || node.on_error || node.retries || node.timeout) || moreOptions.open;
    return box;
  }

  return { nodeForm, wireForm };
}

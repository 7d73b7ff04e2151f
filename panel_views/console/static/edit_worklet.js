// The form of the worklet itself: description, inputs, output, schedules. `page` is the draft with what changes it.
"use strict";

function workletForms(page) {
  function workletForm() {
    const { document: own } = page.draft;
    const parts = [formTitle(page.name, "worklet")];
    const text = (key, label, note) => {
      const box = made("input", { value: own[key] ?? "", onchange: () => page.change((document) => {
        if (box.value === "") delete document[key];
        else document[key] = key === "timeout" ? Number(box.value) : box.value;
      }) });
      if (key === "timeout") Object.assign(box, { type: "number", min: "0", step: "any" });
      return labelled(label, box, note);
    };
    parts.push(text("description", "description"), made("h3", {}, "Inputs"));
    own.inputs.forEach((input, number) => parts.push(inputFields(input, number)));
    parts.push(made("button", { type: "button", class: "small", onclick: () => page.change((document) => addInput(document, "value")) }, "Add an input"));
    parts.push(made("h3", {}, "Output"));
    parts.push(argumentField(page, "output", own.output, { required: false, type: null }, (next) => page.change((document) => {
      if (next === undefined) delete document.output;
      else document.output = next;
    })));
    parts.push(text("output_type", "output type", "As in Python, a class as module:Name. Empty takes anything."), text("timeout", "timeout", "Seconds for the whole run."));
    parts.push(moreOfWorklet(own));
    return parts;
  }

  function moreOfWorklet(own) {
    const set = (key, value) => page.change((document) => {
      if (value === undefined) delete document[key];
      else document[key] = value;
    });
    const tags = made("input", { value: (own.tags || []).join(", "), placeholder: "one, two", onchange: () => {
      const found = tags.value.split(",").map((each) => each.trim()).filter(Boolean);
      set("tags", found.length ? found : undefined);
    } });
    const packages = made("textarea", { class: "mono", rows: 2, spellcheck: false, value: (own.requirements || []).join("\n"), placeholder: "pandas==2.1.*", onchange: () => {
      const found = packages.value.split("\n").map((each) => each.trim()).filter(Boolean);
      set("requirements", found.length ? found : undefined);
    } });
    const python = made("input", { class: "mono", value: own.python || "", placeholder: "3.12", onchange: () => set("python", python.value.trim() || undefined) });
    const most = made("input", { type: "number", min: "1", step: "1", value: own.concurrency ?? "", onchange: () => set("concurrency", most.value ? Number(most.value) : undefined) });
    const triggers = made("textarea", { class: "mono", rows: 3, spellcheck: false, value: own.triggers ? JSON.stringify(own.triggers, null, 1) : "", placeholder: '[{"on": "cron", "schedule": "0 6 * * *"}]', onchange: () => {
      const found = triggers.value.trim() ? readJson(triggers.value) : undefined;
      if (found !== undefined && !Array.isArray(found)) return toast("Write the triggers as a JSON list.", true);
      set("triggers", found);
    } });
    const body = choice([["", "a mapping of all inputs"], ...own.inputs.map((each) => [each.name, `${each.name} itself`])], own.body || "", (picked) => set("body", picked || undefined));
    const box = made("details", { class: "more" }, made("summary", { onclick: () => { moreOfWorklet.open = !box.open; } }, "Schedules, tags and more"),
      labelled("triggers", triggers, "JSON: what starts it besides a call, such as schedules."), labelled("tags", tags),
      labelled("requirements", packages, "Packages of an environment of its own, one a line; empty is the server's."),
      labelled("Python", python, "Of that environment; empty is the server's."),
      labelled("runs at once", most, "Of the submitted ones; empty is any number."), labelled("body of a request", body));
    box.open = Boolean(own.triggers?.length) || moreOfWorklet.open;
    return box;
  }

  function inputFields(input, number) {
    const edit = (make) => page.change((document) => make(document.inputs[number], document));
    const named = made("input", { class: "mono", value: input.name, "aria-label": `Name of input ${number + 1}`, onchange: () => page.change((document) => {
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
    const remove = made("button", { type: "button", class: "quiet", "aria-label": `Delete the input ${input.name}`, onclick: () => page.change((document) => removeInput(document, input.name)) }, "×");
    return made("div", { class: "input-row" }, named, type, fallback, remove);
  }

  return { workletForm };
}

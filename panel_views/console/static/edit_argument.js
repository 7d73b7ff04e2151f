// Where one argument comes from, as a field: an input, a node, a part of either, a value, or several made into one.
"use strict";

function argumentField(page, key, argument, about, say, self) {
  const { inputs, nodes } = page.draft.document;
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

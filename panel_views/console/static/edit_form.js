// Forms made from JSON schemas: one field a property, each telling its value when it has changed.
"use strict";

let fieldCount = 0;

function made(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else if (name in element && name !== "list") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A control below its label; `aimed` is what the label is for, where the control is a group.
function labelled(text, control, note, aimed = control) {
  aimed.id ||= `edit-field-${(fieldCount += 1)}`;
  const check = control.type === "checkbox";
  const parts = [made("label", { htmlFor: aimed.id }, text), control];
  if (note) parts.push(made("p", { class: "note" }, note));
  return made("div", { class: check ? "field field-check" : "field" }, ...parts);
}

function choice(options, value, change, more = {}) {
  const select = made("select", { onchange: () => change(select.value), ...more });
  for (const [key, text] of options) select.append(made("option", { value: key, selected: key === value }, text));
  return select;
}

// JSON as people write it: what is no JSON is text.
function readJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function shownJson(value) {
  if (value === undefined) return "";
  return typeof value === "string" && typeof readJson(value) === "string" ? value : JSON.stringify(value);
}

// The property without `null`, and whether it may be null.
function plainSchema(schema) {
  const options = schema.anyOf || schema.oneOf;
  if (!options) return [schema, schema.type === "null"];
  const rest = options.filter((option) => option.type !== "null");
  if (rest.length !== 1) return [{ ...schema, type: "json" }, rest.length < options.length];
  return [{ ...rest[0], description: schema.description, format: schema.format || rest[0].format, title: schema.title }, true];
}

// Fields for an object. `suggest` gives names by a property's format; `change(name, value)` gets undefined for what is
// as usual.
function schemaFields(schema, values, change, suggest = {}) {
  return Object.entries(schema.properties || {}).map(([name, whole]) => {
    const [part, mayBeNull] = plainSchema(whole);
    const value = name in values ? values[name] : whole.default;
    const say = (next) => change(name, JSON.stringify(next) === JSON.stringify(whole.default) ? undefined : next);
    return labelled(name.replaceAll("_", " "), schemaControl(part, mayBeNull, value, say, suggest), part.description);
  });
}

function schemaControl(part, mayBeNull, value, say, suggest) {
  const empty = mayBeNull ? null : "";
  if (part.enum) {
    const options = part.enum.map((each) => [String(each), String(each)]);
    return choice(mayBeNull ? [["", "—"], ...options] : options, String(value ?? ""), (text) => say(text || empty));
  }
  if (part.type === "boolean") {
    if (mayBeNull) {
      const options = [["", "as measured"], ["true", "yes"], ["false", "no"]];
      return choice(options, value === null || value === undefined ? "" : String(value), (text) => say(text ? text === "true" : null));
    }
    const box = made("input", { type: "checkbox", checked: Boolean(value), onchange: () => say(box.checked) });
    return box;
  }
  if (part.type === "integer" || part.type === "number") {
    const box = made("input", {
      type: "number", value: value ?? "", min: part.minimum ?? null, step: part.type === "integer" ? "1" : "any",
      onchange: () => say(box.value === "" ? (mayBeNull ? null : undefined) : Number(box.value)),
    });
    return box;
  }
  if (part.type === "array" && part.items?.type === "string") {
    const names = (text) => text.split(",").map((each) => each.trim()).filter(Boolean);
    const box = made("input", {
      value: (value || []).join(", "), placeholder: "one, two",
      onchange: () => say(names(box.value).length ? names(box.value) : mayBeNull ? null : []),
    });
    return box;
  }
  if (part.type === "string") {
    const known = suggest[part.format];
    const box = made(part.format === "multiline" ? "textarea" : "input", {
      value: value ?? "", class: part.format === "multiline" ? "mono" : "", spellcheck: false, autocomplete: "off",
      onchange: () => say(box.value === "" ? empty : box.value),
    });
    if (part.format === "multiline") box.rows = 5;
    if (known?.length) {
      const list = made("datalist", { id: `edit-list-${(fieldCount += 1)}` }, ...known.map((each) => made("option", { value: each })));
      box.setAttribute("list", list.id);
      document.getElementById("edit-lists")?.append(list);
    }
    return box;
  }
  const box = made("input", { class: "mono", value: shownJson(value), onchange: () => say(box.value === "" ? undefined : readJson(box.value)) });
  return box;
}

// Questions in a dialog: each answers what was chosen or written, or nothing.
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

function formTitle(text, kind) {
  return made("div", { class: "card-head" }, made("h2", { class: "breaks" }, text), made("span", { class: "tag" }, kind));
}

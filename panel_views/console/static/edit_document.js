// Changes of a graph document, each a function that changes a copy which the caller made. No page is touched here.
"use strict";

const INPUT = "$input";
const OUTPUT = "$output";

function nodeOf(document, id) {
  return document.nodes.find((node) => node.id === id);
}

function freeName(wanted, taken) {
  let name = wanted;
  for (let count = 2; taken.includes(name); count += 1) name = `${wanted}_${count}`;
  return name;
}

const isSource = (argument) => argument && (("node" in argument) || ("input" in argument));

// What an argument becomes if `gone` says of a reference that it goes; undefined if nothing is left.
function without(argument, gone) {
  if (!argument || "constant" in argument) return argument;
  if (isSource(argument)) return gone(argument) ? undefined : argument;
  if (argument.list) return { list: argument.list.map((part) => without(part, gone) ?? { constant: null }) };
  const parts = Object.entries(argument.object || {}).map(([key, part]) => [key, without(part, gone) ?? { constant: null }]);
  return { object: Object.fromEntries(parts) };
}

function dropReferences(document, gone, only) {
  for (const node of document.nodes) {
    if (only && only !== node.id) continue;
    for (const [name, argument] of Object.entries(node.arguments || {})) {
      const left = without(argument, gone);
      if (left === undefined) delete node.arguments[name];
      else node.arguments[name] = left;
    }
  }
  if ((!only || only === OUTPUT) && document.output) {
    const left = without(document.output, gone);
    if (left === undefined) delete document.output;
    else document.output = left;
  }
}

const isDecision = (node) => node?.kind === "decide" && !node.settings?.join;

function removeNode(document, id) {
  document.nodes = document.nodes.filter((node) => node.id !== id);
  for (const node of document.nodes) if (node.when?.node === id) delete node.when;
  dropReferences(document, (reference) => reference.node === id);
}

function disconnect(document, source, target) {
  const node = nodeOf(document, target);
  if (node?.when?.node === source) delete node.when;
  dropReferences(document, (reference) => (source === INPUT ? "input" in reference : reference.node === source), target);
}

function renamed(argument, key, from, to) {
  if (!argument || "constant" in argument) return argument;
  if (isSource(argument)) return argument[key] === from ? { ...argument, [key]: to } : argument;
  if (argument.list) return { list: argument.list.map((part) => renamed(part, key, from, to)) };
  return { object: Object.fromEntries(Object.entries(argument.object).map(([name, part]) => [name, renamed(part, key, from, to)])) };
}

function renameSource(document, key, from, to) {
  for (const node of document.nodes) {
    if (key === "node" && node.id === from) node.id = to;
    if (key === "node" && node.when?.node === from) node.when.node = to;
    for (const [name, argument] of Object.entries(node.arguments || {})) node.arguments[name] = renamed(argument, key, from, to);
  }
  if (document.output) document.output = renamed(document.output, key, from, to);
}

function removeInput(document, name) {
  document.inputs = document.inputs.filter((input) => input.name !== name);
  if (document.body === name) delete document.body;
  dropReferences(document, (reference) => reference.input === name);
}

// `.lines[0]["a"]` as the steps of a path; null if it is none.
function pathOf(text) {
  const steps = [];
  let rest = text.trim();
  while (rest) {
    const found = /^(?:\.([A-Za-z_]\w*)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\])/.exec(rest);
    if (!found) return null;
    if (found[1] !== undefined) steps.push({ attribute: found[1] });
    else if (found[2] !== undefined) steps.push({ item: Number(found[2]) });
    else steps.push({ item: JSON.parse(`"${found[3]}"`) });
    rest = rest.slice(found[0].length);
  }
  return steps;
}

function pathText(path) {
  return (path || []).map((step) => ("attribute" in step ? `.${step.attribute}` : `[${JSON.stringify(step.item)}]`)).join("");
}

// A value that fits the text of a type, to begin with.
function sampleOf(type) {
  const plain = (type || "").replace(/\s*\|\s*None$/, "");
  if (plain === "int") return 1;
  if (plain === "float") return 1.5;
  if (plain === "bool") return true;
  if (plain.startsWith("list")) return [];
  if (plain === "str") return "text";
  return plain ? {} : null;
}

// --- code -----------------------------------------------------------------------------------------------

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

function addInput(document, wanted, argument) {
  const input = { name: freeName(wanted, document.inputs.map((each) => each.name)) };
  if (argument?.document_type) input.type = argument.document_type;
  document.inputs.push(input);
  return input.name;
}

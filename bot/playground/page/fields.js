/** Block Kit's inputs: text, selects, radio buttons, checkboxes, dates. */

import { words } from "./controls.js";
import { el, freshId } from "./element.js";
import { store } from "./store.js";

/** @typedef {import("./types.js").Element} Element */
/** @typedef {import("./types.js").Option} Option */
/** @typedef {import("./surface.js").Field} Field */

/** @typedef {(element: Element, previous: any, changed: () => void) => Field} FieldMaker */

/** @type {{[type: string]: FieldMaker}} */
export const FIELDS = {
  plain_text_input: text,
  email_text_input: text,
  url_text_input: text,
  number_input: text,
  datepicker: (element, previous, changed) => moment("date", "selected_date", element, previous, changed),
  timepicker: (element, previous, changed) => moment("time", "selected_time", element, previous, changed),
  static_select: select,
  multi_static_select: multiSelect,
  radio_buttons: (element, previous, changed) => choices("radio", element, previous, changed),
  checkboxes: (element, previous, changed) => choices("checkbox", element, previous, changed),
  users_select: (element, previous, changed) => pick("selected_user", people(), element, previous, changed),
  channels_select: (element, previous, changed) =>
    pick("selected_channel", channels(), element, previous, changed),
  conversations_select: (element, previous, changed) =>
    pick("selected_conversation", channels(), element, previous, changed),
};

const INPUT_TYPES = { email_text_input: "email", url_text_input: "url", number_input: "number" };

/** @type {FieldMaker} */
function text(element, previous, changed) {
  const value = previous?.value ?? element.initial_value ?? "";
  const shared = {
    class: "input",
    dir: "auto",
    placeholder: element.placeholder?.text,
    minlength: element.min_length,
    maxlength: element.max_length,
    autofocus: element.focus_on_load,
    on: { change: changed },
  };
  const type = INPUT_TYPES[/** @type {keyof INPUT_TYPES} */ (element.type)] ?? "text";
  const control = /** @type {HTMLInputElement} */ (
    element.multiline
      ? el("textarea", { ...shared, rows: "4" })
      : el("input", { ...shared, type, inputmode: type === "number" ? "decimal" : null })
  );
  control.value = value;
  return field(control, {
    read: () => ({ type: element.type, value: control.value || null }),
    isEmpty: () => !control.value.trim(),
  });
}

/**
 * @param {"date" | "time"} kind
 * @param {"selected_date" | "selected_time"} name
 * @param {Element} element
 * @param {any} previous
 * @param {() => void} changed
 */
function moment(kind, name, element, previous, changed) {
  const control = /** @type {HTMLInputElement} */ (
    el("input", { class: "input", type: kind, on: { change: changed } })
  );
  control.value = previous?.[name] ?? element[`initial_${kind}`] ?? "";
  return field(control, {
    read: () => ({ type: element.type, [name]: control.value || null }),
    isEmpty: () => !control.value,
  });
}

/** @type {FieldMaker} */
function select(element, previous, changed) {
  const options = allOptions(element);
  const chosen = previous?.selected_option ?? element.initial_option;
  const groups = element.option_groups
    ? element.option_groups.map((/** @type {any} */ group) =>
        el("optgroup", { label: group.label?.text }, ...group.options.map(choice)),
      )
    : options.map(choice);
  const control = dropDown(element, groups, changed);
  control.value = options.some((option) => option.value === chosen?.value) ? chosen.value : "";
  const selected = () => options.find((option) => option.value === control.value) ?? null;
  return field(control, {
    read: () => ({ type: element.type, selected_option: selected() }),
    isEmpty: () => !selected(),
  });
}

/** @param {Option} option */
function choice(option) {
  return el("option", { value: option.value }, String(option.text?.text ?? option.value));
}

/**
 * @param {string} name of the value, such as "selected_user"
 * @param {[string, string][]} entries id and label
 * @param {Element} element
 * @param {any} previous
 * @param {() => void} changed
 */
function pick(name, entries, element, previous, changed) {
  const options = entries.map(([value, label]) => el("option", { value }, label));
  const control = dropDown(element, options, changed);
  control.value = previous?.[name] ?? element[name.replace("selected", "initial")] ?? "";
  return field(control, {
    read: () => ({ type: element.type, [name]: control.value || null }),
    isEmpty: () => !control.value,
  });
}

/**
 * @param {Element} element
 * @param {HTMLElement[]} options
 * @param {() => void} changed
 */
function dropDown(element, options, changed) {
  const placeholder = el("option", { value: "" }, element.placeholder?.text ?? "Choose…");
  return /** @type {HTMLSelectElement} */ (
    el("select", { class: "input select", on: { change: changed } }, placeholder, ...options)
  );
}

/** @type {FieldMaker} */
function multiSelect(element, previous, changed) {
  const initial = element.initial_options ?? [];
  return choices("checkbox", { ...element, initial_options: initial }, previous, changed);
}

/**
 * @param {"radio" | "checkbox"} kind
 * @param {Element} element
 * @param {any} previous
 * @param {() => void} changed
 */
function choices(kind, element, previous, changed) {
  const options = allOptions(element);
  const before = previous
    ? (previous.selected_options ?? [previous.selected_option])
    : (element.initial_options ?? [element.initial_option]);
  const chosen = new Set(before.filter(Boolean).map((/** @type {Option} */ option) => option.value));
  const group = freshId();
  const inputs = options.map((option) => tick(kind, group, chosen.has(option.value), changed));
  const rows = options.map((option, at) => choiceRow(option, inputs[at]));
  const node = el("div", { class: "choices", role: kind === "radio" ? "radiogroup" : "group" }, ...rows);
  const selected = () => options.filter((_, at) => inputs[at].checked);
  return {
    node,
    control: node,
    isEmpty: () => !selected().length,
    read: () =>
      kind === "radio"
        ? { type: element.type, selected_option: selected()[0] ?? null }
        : { type: element.type, selected_options: selected() },
  };
}

/**
 * @param {"radio" | "checkbox"} kind
 * @param {string} group
 * @param {boolean} isChecked
 * @param {() => void} changed
 */
function tick(kind, group, isChecked, changed) {
  const input = /** @type {HTMLInputElement} */ (
    el("input", { type: kind, name: group, on: { change: changed } })
  );
  input.checked = isChecked;
  return input;
}

/**
 * @param {Option} option
 * @param {HTMLElement} input
 */
function choiceRow(option, input) {
  const note = option.description && el("span", { class: "hint", dir: "auto" }, ...words(option.description));
  return el("label", { class: "choice" }, input, el("span", { dir: "auto" }, ...words(option.text)), note);
}

/**
 * @param {Element} element
 * @returns {Option[]}
 */
function allOptions(element) {
  return element.options ?? (element.option_groups ?? []).flatMap((/** @type {any} */ group) => group.options);
}

/**
 * @param {HTMLElement} control
 * @param {{read: () => any, isEmpty: () => boolean}} rest
 * @returns {Field}
 */
function field(control, rest) {
  return { node: control, control, ...rest };
}

/** @returns {[string, string][]} */
function people() {
  return [...store.users.values()].map((user) => [user.id, user.real_name || user.name]);
}

/** @returns {[string, string][]} */
function channels() {
  const open = [...store.channels.values()].filter((channel) => !channel.is_im);
  return open.map((channel) => [channel.id, `#${channel.name}`]);
}

// Elements and texts. All scripts of the page are joined into one function, in the order that
// page.py gives.

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const data = read("data");
const byId = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");

// Tables are sent as columns and rows of values.
function rowsOf(name) {
  const { columns, rows } = data.tables[name];
  return rows.map((row) => Object.fromEntries(columns.map((column, i) => [column, row[i]])));
}

const places = new Map(data.agents.map((each, i) => [each.agent, i]));
const learnsFrom = (agent) => data.agents[places.get(agent)].learns_from;
const colorOf = (agent) => `var(--agent-${places.get(agent) % data.colors})`;
const shapeOf = (agent) => data.shapes[places.get(agent) % data.shapes.length];

// All text is set as text, so that a name in the data cannot become a part of the page.
function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element && typeof value !== "string") element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
const make = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const draw = (tag, attributes = {}, ...children) =>
  fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

// The symbols of Vega, for what Vega does not draw, and those of the bounds.
const SYMBOLS = {
  circle: "M-5.5,0a5.5,5.5 0 1 0 11,0a5.5,5.5 0 1 0 -11,0Z", square: "M-5,-5h10v10h-10Z",
  "triangle-up": "M0,-5.5L6,5H-6Z", "triangle-down": "M0,5.5L6,-5H-6Z",
  "triangle-right": "M5.5,0L-5,6V-6Z", diamond: "M0,-6.5L5.2,0L0,6.5L-5.2,0Z",
  cross: "M-6,-2.2h3.8v-3.8h4.4v3.8h3.8v4.4h-3.8v3.8h-4.4v-3.8h-3.8Z",
};
const BOUNDS = {
  chance: ["M0,-6V6", "chance: random answers"],
  memoryless: ["M-4.5,-4.5h9v9h-9Z", "memoryless: sees the present observation"],
  clock: ["M-5,-5L5,5M-5,5L5,-5", "clock: sees the time step, too"],
  optimum: [SYMBOLS.diamond, "optimum"],
};
const symbol = (path, color, filled, more = {}) =>
  draw("path", { d: path, fill: filled ? color : "none", stroke: filled ? "none" : color, "stroke-width": "1.6", ...more });
const sign = (path, color, filled) =>
  draw("svg", { viewBox: "-8 -8 16 16", width: "16", height: "16", "aria-hidden": "true", class: "mark" }, symbol(path, color, filled));
const agentSign = (agent) => sign(SYMBOLS[shapeOf(agent)], colorOf(agent), true);
const FUTURE = "It sees whole episodes before it answers, so it could not act in them.";
const agentName = (agent, seesFuture = false) =>
  make("span", { class: "agent" }, agentSign(agent), make("span", {}, agent),
    seesFuture ? make("span", { class: "weak", title: FUTURE }, "sees the future") : null);

const fixed = (value, digits = 3) =>
  value === null ? "–" : (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits).replace("-", "−");
const count = (value) => value.toLocaleString("en-US");
const compact = (value) =>
  value >= 1e6 ? `${(value / 1e6).toPrecision(3)}M` : value >= 1e3 ? `${(value / 1e3).toPrecision(3)}k` : `${value}`;
const time = (seconds) =>
  seconds < 60 ? `${Number(seconds.toPrecision(3))} s` : seconds < 3600 ? `${Number((seconds / 60).toPrecision(3))} min`
    : `${Number((seconds / 3600).toPrecision(3))} h`;
const note = (text) => make("p", { class: "note" }, text);
const empty = (text) => make("p", { class: "empty" }, text);

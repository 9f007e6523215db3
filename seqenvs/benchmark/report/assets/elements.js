// Elements and texts. All scripts of the page are joined into one function, in the order that
// page.py gives.

const read = (id) => JSON.parse(document.getElementById(id).textContent);
const data = read("data");
const byId = (id) => document.getElementById(id);
const dark = matchMedia("(prefers-color-scheme: dark)");

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

// The symbols of Vega, for what Vega does not draw.
const SYMBOLS = {
  circle: "M-5.5,0a5.5,5.5 0 1 0 11,0a5.5,5.5 0 1 0 -11,0Z", square: "M-5,-5h10v10h-10Z",
  "triangle-up": "M0,-5.5L6,5H-6Z", "triangle-down": "M0,5.5L6,-5H-6Z",
  "triangle-right": "M5.5,0L-5,6V-6Z", diamond: "M0,-6.5L5.2,0L0,6.5L-5.2,0Z",
  cross: "M-6,-2.2h3.8v-3.8h4.4v3.8h3.8v4.4h-3.8v3.8h-4.4v-3.8h-3.8Z",
};
const agentName = (agent) => {
  const mark = draw("path", { d: SYMBOLS[shapeOf(agent)], fill: colorOf(agent) });
  const sign = draw("svg", { viewBox: "-8 -8 16 16", "aria-hidden": "true", class: "mark" }, mark);
  return make("span", { class: "agent" }, sign, make("span", {}, agent));
};

const fixed = (value, digits = 3) =>
  value === null ? "–" : (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits).replace("-", "−");
const empty = (text) => make("p", { class: "empty" }, text);

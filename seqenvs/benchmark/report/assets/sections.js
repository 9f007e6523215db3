// The sections of figures.

const NOTHING = "There are no results of this section.";

function sweeps() {
  for (const name of ["horizon-echo", "horizon-recall", "capacity"]) {
    if (specs[name]) addLines(byId(name), name);
    else byId(name).append(empty(NOTHING));
  }
  data.generalisation.forEach((environment, i) => {
    const box = make("div");
    byId("generalisation-charts").append(make("div", {}, make("h3", {}, environment), box));
    addLines(box, `generalisation-${i + 1}`);
  });
  if (!data.generalisation.length) byId("generalisation-charts").append(empty(NOTHING));
  const agents = (...names) => new Set(names.flatMap((name) => agentsOf(specs[name]?.datasets.points ?? [])));
  addChips(document.querySelector("#horizon .chips"), agents("horizon-echo", "horizon-recall"));
  addChips(document.querySelector("#capacity-section .chips"), agents("capacity"));
  addChips(document.querySelector("#generalisation .chips"), agents(...data.generalisation.map((_, i) => `generalisation-${i + 1}`)));
}

// A list to choose an environment from, by section.
function fillPlaces(select) {
  const groups = new Map();
  data.places.forEach((each, i) => {
    if (!groups.has(each.section)) {
      groups.set(each.section, make("optgroup", { label: each.section }));
      select.append(groups.get(each.section));
    }
    groups.get(each.section).append(make("option", { value: `${i}` }, each.environment));
  });
  select.value = `${Math.max(0, data.places.findIndex((each) => each.environment.startsWith("SeqEcho-v0")))}`;
}
const chosen = (select) => data.places[Number(select.value)];

function decades(values) {
  const [low, high] = [Math.log10(Math.min(...values)), Math.log10(Math.max(...values))];
  const between = high - low > 1.5 ? [1] : [1, 2, 5];
  const ticks = [];
  for (let power = Math.floor(low); power <= high; power += 1) for (const part of between) ticks.push(Number((part * 10 ** power).toPrecision(1)));
  return ticks.filter((tick) => tick >= 0.999 * 10 ** low && tick <= 1.001 * 10 ** high);
}

function curves() {
  const select = byId("curves-environment");
  fillPlaces(select);
  addChips(document.querySelector("#curves .chips"), shown);
  const both = ["steps", "seconds"].map((name) => addFigure(byId(`curves-${name}`), `curves-${name}`, (spec) => {
    const here = chosen(select);
    const points = visible(here.agents.filter((each) => each[name]).flatMap((each) => {
      const [x, y, low, high] = each[name];
      return x.map((value, i) => ({ agent: each.agent, learns_from: learnsFrom(each.agent), x: value, y: y[i], low: low[i], high: high[i] }));
    }));
    const bounds = new Map(); // equal bounds share a line
    for (const bound of here.bounds === null ? [] : data.bounds) {
      const key = here.bounds[bound].toFixed(2);
      bounds.set(key, { y: here.bounds[bound], label: bounds.has(key) ? `${bounds.get(key).label}, ${bound}` : bound });
    }
    spec.title = `Learning curves on ${here.environment}`;
    spec.datasets = { points, ends: [...new Map(points.map((row) => [row.agent, row])).values()], levels: [...bounds.values()] };
    const ticks = points.length ? decades(points.map((row) => row.x)) : [];
    for (const { encoding } of spec.layer) if (encoding.x?.axis) encoding.x.axis.values = ticks;
    return agentsOf(points);
  }));
  select.addEventListener("change", () => { for (const redraw of both) redraw(); });
}

function accuracies() {
  const select = byId("accuracy-environment");
  fillPlaces(select);
  const redraw = addFigure(byId("accuracy-figure"), "accuracy", (spec) => {
    const here = chosen(select);
    const cells = here.agents.flatMap(({ agent, accuracy: { width, length, values } }) => values.map((y, i) => {
      const [left, right] = [i * width, Math.min(length, (i + 1) * width)];
      return {
        agent, learns_from: learnsFrom(agent), row: `${agent}, ${learnsFrom(agent)}`, y, left: left - 0.5, right: right - 0.5, middle: (left + right - 1) / 2,
        steps: right - left > 1 ? `${left} to ${right - 1}` : `${left}`, accuracy: y === null ? "no answer is due" : fixed(y),
      };
    }));
    byId("accuracy-note").textContent = here.agents.some((each) => each.accuracy.width > 1) ? "Each column is the mean of several time steps." : "";
    spec.title = `Accuracy by time step on ${here.environment}`;
    spec.datasets = { cells };
    spec.params.find((each) => each.name === "columns").value = Math.max(...here.agents.map((each) => each.accuracy.values.length));
    spec.height = 26 * here.agents.length;
    return agentsOf(cells);
  });
  select.addEventListener("change", redraw);
}

function finding() {
  if (specs.finding) addFigure(byId("finding"), "finding", (spec) => agentsOf(spec.datasets.rows.filter((row) => row.agent)));
}

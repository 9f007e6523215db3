// Figures: drawn when they come near, drawn again when something changes, saved as SVG and PNG.

const specs = read("figures");
const figures = [];
const shown = new Set(data.agents.map((each) => each.agent));

const themed = (theme) => ({
  actions: false, renderer: "svg", config: data.themes[theme], tooltip: { theme },
});

// On the page, the boxes to check are the legend. A saved file needs its own.
function setLegends(spec, agents, legend) {
  const sources = [...new Set(agents.map(learnsFrom))];
  for (const { encoding = {} } of spec.layer) {
    for (const channel of ["color", "shape"]) {
      if (encoding[channel]?.field === "agent") encoding[channel].legend = legend ? { values: agents } : null;
    }
    if (encoding.strokeDash) encoding.strokeDash.legend = legend ? { values: sources } : null;
  }
}

/* Add a figure to a box. `choose` changes its specification, such as its data, and returns the
   agents that it shows. */
function addFigure(box, name, choose) {
  const chart = make("div", { class: "chart", id: `${name}-chart` });
  const save = make("p", { class: "save" }, "Save as ");
  for (const format of ["SVG", "PNG"]) {
    const button = make("button", { type: "button", class: "small", "aria-label": `Save the figure ${name} as ${format}` }, format);
    button.addEventListener("click", () => download(name, format.toLowerCase(), prepare(true)));
    save.append(button, " ");
  }
  box.replaceChildren(chart, save);

  function prepare(saved) {
    const spec = structuredClone(specs[name]);
    const agents = choose(spec);
    if (!agents.length) return null;
    setLegends(spec, agents, saved);
    spec.description = `${spec.title}: ${agents.join(", ")}`;
    if (saved) Object.assign(spec, { width: 640, padding: 12, background: "white" });
    else delete spec.title;
    return spec;
  }

  let last = null;
  let turn = 0;
  async function redraw() {
    const mine = ++turn;
    const spec = prepare(false);
    last?.finalize();
    last = null;
    save.hidden = spec === null;
    if (spec === null) { chart.replaceChildren(empty("There is nothing to draw for this choice.")); return; }
    const found = await vegaEmbed(chart, spec, themed(dark.matches ? "dark" : "light"));
    if (mine === turn) last = found; else found.finalize();
  }
  figures.push(whenNear(chart, redraw));
  return figures.at(-1);
}

async function download(name, format, spec) {
  const { view } = await vegaEmbed(make("div"), spec, themed("light"));
  const address = await view.toImageURL(format, format === "png" ? 2 : 1);
  make("a", { href: address, download: `${name}.${format}` }).click();
  view.finalize();
}

// Draw when the box comes near, because a page can have many figures. Later calls draw again.
function whenNear(box, redraw) {
  let seen = false;
  new IntersectionObserver((entries, observer) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    observer.disconnect();
    seen = true;
    redraw();
  }, { rootMargin: "600px" }).observe(box);
  return () => { if (seen) redraw(); };
}

const redrawAll = () => { for (const redraw of figures) redraw(); };
const agentsOf = (rows) => [...new Set(rows.map((row) => row.agent))];
const visible = (rows) => rows.filter((row) => shown.has(row.agent));

// A figure that has its data. The boxes to check choose the agents.
function addLines(box, name) {
  addFigure(box, name, (spec) => {
    spec.datasets.points = visible(spec.datasets.points);
    return agentsOf(spec.datasets.points);
  });
}

// Boxes to check for the agents of the figures. The choice is the same in all sections.
function addChips(box, agents) {
  for (const [source, dash] of Object.entries(data.dashes)) {
    const mine = data.agents.filter((each) => agents.has(each.agent) && each.learns_from === source);
    if (!mine.length) continue;
    const line = draw("svg", { viewBox: "0 0 28 8", width: "28", height: "8", "aria-hidden": "true" },
      draw("path", { d: "M0,4H28", stroke: "currentColor", "stroke-width": "2", "stroke-dasharray": dash.join(" ") }));
    const chips = mine.map(({ agent }) => {
      const input = make("input", { type: "checkbox", checked: true });
      input.dataset.agent = agent;
      input.addEventListener("change", () => {
        if (input.checked) shown.add(agent); else shown.delete(agent);
        for (const other of document.querySelectorAll(".chips input")) other.checked = shown.has(other.dataset.agent);
        redrawAll();
      });
      return make("label", {}, input, agentName(agent));
    });
    box.append(make("fieldset", {}, make("legend", {}, line, ` learned from ${source}`), ...chips));
  }
}

"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const specs = JSON.parse(document.getElementById("specs").textContent);
  const byId = (id) => document.getElementById(id);
  const phone = matchMedia("(max-width: 760px)");
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // Okabe and Ito's colours, which differ for the colour-blind too, some made darker or lighter to be
  // seen on the page, and two more; shape and dash say the same. Black is white in the dark.
  const COLORS = {
    light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b87a00", "#56b4e9", "#16191d", "#8a7f00", "#6a3d9a", "#a3123f"],
    dark: ["#4aa3df", "#f0793a", "#1fbf92", "#dd93bd", "#e69f00", "#8fd0f5", "#e9ecf0", "#f0e442", "#b99cf0", "#ff7a8a"],
  };
  const SHAPES = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right"];
  const DASHES = [[1, 0], [7, 3], [2, 3], [9, 3, 2, 3], [5, 2]];
  const BOUND_SHAPES = {
    chance: "M0,-1V1", memoryless: "square", clock: "M-0.8,-0.8L0.8,0.8M-0.8,0.8L0.8,-0.8", optimum: "diamond",
  };
  const BOUND_SAYS = {
    chance: "chance: answers at random", memoryless: "memoryless: sees the present observation",
    clock: "clock: sees the time step too", optimum: "optimum",
  };
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const place = new Map(data.agents.map((agent, i) => [agent, i]));
  const styleOf = (agent) => {
    const i = place.get(agent);
    const colors = dark.matches ? COLORS.dark : COLORS.light;
    return { color: colors[i % colors.length], shape: SHAPES[i % SHAPES.length], dash: DASHES[i % DASHES.length] };
  };

  // Elements ---------------------------------------------------------------------------------

  // All text is set as text: a name in the data can't become a part of the page.
  function make(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name in element && typeof value !== "string") element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null && child !== undefined));
    return element;
  }

  function sign(shape, color, filled) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "-8 -8 16 16");
    svg.setAttribute("width", "16");
    svg.setAttribute("height", "16");
    svg.setAttribute("aria-hidden", "true");
    svg.setAttribute("class", "mark");
    const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const symbol = SIGNS[shape] ?? shape;
    path.setAttribute("d", symbol);
    path.setAttribute("fill", filled ? color : "none");
    path.setAttribute("stroke", filled ? "none" : color);
    path.setAttribute("stroke-width", "1.6");
    svg.append(path);
    return svg;
  }
  // Vega's symbols, for the legend that is not Vega's.
  const SIGNS = {
    circle: "M-5.5,0a5.5,5.5 0 1 0 11,0a5.5,5.5 0 1 0 -11,0Z", square: "M-5,-5h10v10h-10Z",
    "triangle-up": "M0,-5.5L6,5H-6Z", "triangle-down": "M0,5.5L6,-5H-6Z",
    "triangle-right": "M5.5,0L-5,6V-6Z", diamond: "M0,-6.5L5.2,0L0,6.5L-5.2,0Z",
    cross: "M-6,-2.2h3.8v-3.8h4.4v3.8h3.8v4.4h-3.8v3.8h-4.4v-3.8h-3.8Z",
    [BOUND_SHAPES.chance]: "M0,-6V6", [BOUND_SHAPES.clock]: "M-5,-5L5,5M-5,5L5,-5",
  };

  const agentSign = (agent) => sign(styleOf(agent).shape, styleOf(agent).color, true);
  const agentName = (agent, seesFuture) =>
    make("span", { class: "agent" }, agentSign(agent), make("span", {}, agent),
      seesFuture ? make("span", { class: "weak", title: "It sees whole episodes before it answers: it could not act in them." }, "sees the future") : null);

  const fixed = (value, digits = 3) =>
    value === null ? "–" : (Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value).toFixed(digits).replace("-", "−");
  const interval = (estimate, digits = 3) =>
    estimate.low === null ? "–" : `${fixed(estimate.low, digits)} to ${fixed(estimate.high, digits)}`;
  const count = (value) => value.toLocaleString("en-US");
  const short = (value) =>
    value >= 1e6 ? `${(value / 1e6).toPrecision(3)}M` : value >= 1e3 ? `${(value / 1e3).toPrecision(3)}k` : `${value}`;
  const time = (seconds) =>
    seconds < 60 ? `${Number(seconds.toPrecision(3))} s` : seconds < 3600 ? `${Number((seconds / 60).toPrecision(3))} min`
      : `${Number((seconds / 3600).toPrecision(3))} h`;
  const budget = ({ steps, seconds }) =>
    [steps === null ? "" : `${short(steps)} steps`, seconds === null ? "" : `${time(seconds)} of processor time`]
      .filter(Boolean).join(" or ");
  const plural = (n, word) => `${count(n)} ${word}${n === 1 ? "" : "s"}`;

  function scroller(label, table, tall = false) {
    return make("div", { class: tall ? "scroll tall" : "scroll", tabIndex: 0, role: "region", "aria-label": label }, table);
  }

  /* A table. Each column: title, value (of a row, to sort by; none: not sortable), cell (of a row: what
     stands there), and maybe class. The first column heads its rows. */
  function makeTable(caption, columns, rows, start = null) {
    const body = make("tbody");
    const heads = columns.map((column) => {
      const head = make("th", { scope: "col", ...(column.class ? { class: column.class } : {}) });
      if (!column.value) { head.append(column.head ? column.head() : column.title); return head; }
      const button = make("button", { type: "button" }, column.title);
      button.addEventListener("click", () => sort(column, head));
      head.append(button);
      return head;
    });
    const lines = new Map(rows.map((row) => [row, make("tr", {}, ...columns.map((column, i) =>
      make(i === 0 ? "th" : "td", { ...(i === 0 ? { scope: "row" } : {}), ...(column.class ? { class: column.class } : {}) }, column.cell(row))))]));
    function sort(column, head) {
      const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : !column.ascending;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const sorted = [...rows].sort((a, b) => {
        const [x, y] = [column.value(a), column.value(b)];
        if (x === null || y === null) return (x === null) - (y === null); // the unknown stay last
        const order = typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x - y;
        return down ? -order : order;
      });
      body.append(...sorted.map((row) => lines.get(row)));
    }
    body.append(...lines.values());
    const table = make("table", {}, make("caption", { class: "hidden" }, caption), make("thead", {}, make("tr", {}, ...heads)), body);
    if (start !== null) sort(columns[start], heads[start]);
    return table;
  }

  // Charts -----------------------------------------------------------------------------------

  function theme() {
    const [text, muted, line] = [css("--text"), css("--muted"), css("--line")];
    const font = getComputedStyle(document.body).fontFamily;
    const titles = { titleColor: muted, titleFontWeight: "normal", titleFontSize: 12, labelColor: text, labelFontSize: 12 };
    return {
      background: "transparent", font, view: { stroke: null }, rect: { stroke: css("--page") }, text: { color: muted, font },
      axis: { ...titles, gridColor: line, domainColor: muted, tickColor: muted, titlePadding: 8 },
      legend: titles, title: { color: text },
    };
  }

  const options = () => ({
    actions: false, renderer: "svg", config: theme(), tooltip: { theme: dark.matches ? "dark" : "light" },
  });

  const charts = []; // each draws itself anew: after a change of the theme, the filter or the choice
  const shown = new Set(data.agents);

  function addChart(box, name, describe) {
    let last = null;
    let turn = 0;
    async function draw() {
      const mine = ++turn;
      const made = describe();
      last?.finalize();
      last = null;
      if (made === null) {
        box.replaceChildren(make("p", { class: "empty" }, "There is nothing to draw for this choice."));
        return;
      }
      const spec = structuredClone(specs[name]);
      spec.datasets = made.datasets;
      spec.description = made.description;
      made.change?.(spec);
      const found = await vegaEmbed(box, spec, options());
      if (mine === turn) last = found; else found.finalize();
    }
    const chart = { draw: whenNear(box, draw) };
    charts.push(chart);
    return chart;
  }

  // Draws when the box comes near, as a page of many cells has many; what it gives draws again if so.
  function whenNear(box, draw) {
    let seen = false;
    new IntersectionObserver((entries, observer) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      seen = true;
      draw();
    }, { rootMargin: "600px" }).observe(box);
    return () => (seen ? draw() : Promise.resolve());
  }

  const styled = (rows) => rows.filter((row) => shown.has(row.agent)).map((row) => ({ ...row, ...styleOf(row.agent) }));

  function axisValues(spec, values) {
    for (const layer of spec.layer) if (layer.encoding?.x?.axis) layer.encoding.x.axis.values = values;
  }

  function scoreChart(box, name, points, title) {
    addChart(box, name, () => {
      const rows = styled(points).filter((row) => row.y !== null);
      if (!rows.length) return null;
      const inside = (value) => Math.min(1.05, Math.max(-0.2, value));
      return {
        description: `${title}: memory score of ${[...new Set(rows.map((row) => row.agent))].join(", ")}`,
        datasets: {
          points: rows.map((row) => ({ ...row, interval: interval(row), low: row.low === null ? null : inside(row.low), high: row.high === null ? null : inside(row.high) })),
          levels: [{ y: data.solvedHorizon, color: css("--muted") }],
        },
        change: (spec) => axisValues(spec, [...new Set(points.map((row) => row.x))].sort((a, b) => a - b)),
      };
    });
  }

  // Chips: which agents the charts show; the same choice in all sections.
  function addChips(box, agents) {
    const fieldset = make("fieldset", { class: "chips", style: "border:0;padding:0;margin-inline:0;min-width:0" },
      make("legend", { class: "hidden" }, "Agents in the charts"));
    for (const agent of data.agents.filter((each) => agents.has(each))) {
      const input = make("input", { type: "checkbox", checked: true });
      input.dataset.agent = agent;
      input.addEventListener("change", () => {
        if (input.checked) shown.add(agent); else shown.delete(agent);
        for (const other of document.querySelectorAll(".chips input")) other.checked = shown.has(other.dataset.agent);
        redraw();
      });
      fieldset.append(make("label", {}, input, agentName(agent)));
    }
    box.replaceWith(fieldset);
  }

  function redraw() { for (const chart of charts) chart.draw(); }

  // Leaderboard ------------------------------------------------------------------------------

  function overview() {
    const environments = data.leaderboard;
    if (!environments.length) { byId("overview").append(make("p", { class: "empty" }, "No cell of the matrix is there.")); return; }
    const agents = data.agents.filter((agent) => environments.some((each) => each.rows.some((row) => row.agent === agent)));
    const rows = agents.map((agent) => ({
      agent, found: environments.map((each) => each.rows.find((row) => row.agent === agent) ?? null),
    }));
    const valueOf = (environment, row) => row === null ? null : environment.needsMemory ? row.score.y : row.return.y;
    const solved = (row) => row.found.filter((each) => each !== null && each.solved === each.seeds).length;
    const run = (row) => row.found.filter((each) => each !== null).length;
    const columns = [{ title: "agent", value: (row) => row.agent, cell: (row) => agentName(row.agent), ascending: true, class: "first" },
      { title: "solved", value: (row) => solved(row) + solved(row) / (run(row) + 1), cell: (row) => make("span", {}, make("strong", {}, `${solved(row)}`), ` of ${run(row)}`) }];
    environments.forEach((environment, i) => {
      columns.push({
        title: environment.environment.replace(/^Seq(\w+?)(Medium|Hard)?-v0/, (_, name, level) => (level ? `${name} ${level}` : name)),
        value: (row) => valueOf(environment, row.found[i]),
        cell: (row) => {
          const value = valueOf(environment, row.found[i]);
          if (value === null) return make("span", { class: "weak" }, "–");
          return make(environment.needsMemory ? "span" : "em", { "data-score": `${environment.needsMemory ? value : ""}` }, fixed(value, 2));
        },
      });
    });
    const table = makeTable("Memory score of each agent in each environment", columns, rows, 1);
    for (const inner of table.querySelectorAll("[data-score]")) {
      if (inner.dataset.score === "") continue;
      inner.parentElement.classList.add("score");
      inner.parentElement.style.setProperty("--part", `${0.55 * Math.min(1, Math.max(0, Number(inner.dataset.score)))}`);
    }
    byId("overview").append(scroller("Memory scores, agents by environments", table),
      make("p", { class: "note" }, "Solved: environments that every seed solved, of those with a result. –: no result."));
  }

  function strip(box, environment, row) {
    const [muted, line] = [css("--muted"), css("--line")];
    const { color, shape } = styleOf(row.agent);
    const bounds = environment.bounds ?? {};
    const { y, low, high } = row.return;
    const spec = {
      ...specs.strip,
      width: phone.matches ? 110 : specs.strip.width,
      description: `${row.agent}: mean return ${fixed(y)}, on a line from 0 to 1`,
      datasets: {
        line: [{ x: 0, end: 1, color: line }],
        bounds: data.bounds.filter((name) => name in bounds).map((name) => ({ name, x: bounds[name], color: muted, shape: BOUND_SHAPES[name] })),
        seeds: row.returns.map((x) => ({ x, color })),
        row: [{ x: y, low: low ?? y, high: high ?? y, color, shape }],
      },
    };
    return vegaEmbed(box, spec, options());
  }

  const estimate = (value, tag) => make("span", { class: "estimate" },
    make("span", { class: "range" }, value.low === null ? "" : `${interval(value)} `), make(tag, {}, fixed(value.y)));

  function environmentTables() {
    const key = byId("strip-key");
    const example = data.agents[0];
    key.append(make("li", {}, agentSign(example), "mean return, bar its interval, ticks its seeds"));
    for (const name of data.bounds) key.append(make("li", {}, sign(BOUND_SHAPES[name], css("--muted"), false), BOUND_SAYS[name]));
    for (const environment of data.leaderboard) {
      const cells = new Map();
      const columns = [
        { title: "agent", value: (row) => row.agent, cell: (row) => agentName(row.agent, row.seesFuture), ascending: true, class: "first" },
        { title: "return", class: "strip", head: () => make("span", {}, make("span", {}, "0"), make("span", {}, "return"), make("span", {}, "1")),
          cell: (row) => { const box = make("div"); cells.set(box, row); return box; } },
        { title: "mean return", class: "number", value: (row) => row.return.y, cell: (row) => estimate(row.return, "span") },
        { title: "memory score", class: "number", value: (row) => row.score.y, cell: (row) => row.score.y === null ? make("span", { class: "weak" }, environment.bounds === null ? "unknown" : "none needed") : estimate(row.score, "strong") },
        { title: "solved", class: "number", value: (row) => row.solved / row.seeds, cell: (row) => `${row.solved} of ${row.seeds}` },
        { title: "steps", class: "number", value: (row) => row.steps, cell: (row) => short(row.steps), ascending: true },
        { title: "time", class: "number", value: (row) => row.seconds, cell: (row) => time(row.seconds), ascending: true },
        { title: "", cell: (row) => {
          const button = make("button", { type: "button", class: "play-link", "aria-label": `Play episodes of ${row.agent} on ${environment.environment}` }, "Play");
          button.addEventListener("click", () => openPlayer("Leaderboard", environment.environment, row.agent));
          return button;
        } },
      ];
      const bounds = environment.bounds === null ? "Its bounds are not known."
        : data.bounds.map((name) => `${name} ${fixed(environment.bounds[name], 4)}`).join(" · ");
      const start = environment.needsMemory ? 3 : 2;
      const box = make("div", { class: "environment" }, make("h4", {}, environment.environment), make("p", { class: "note" }, bounds),
        scroller(`Agents on ${environment.environment}`, makeTable(`Agents on ${environment.environment}`, columns, environment.rows, start)));
      byId("environments").append(box);
      const draw = () => { for (const [each, row] of cells) strip(each, environment, row); };
      themed.push(whenNear(box, draw));
    }
    byId("environments").append(make("p", { class: "note" }, "Steps and time: medians over seeds, until the target or the budget was reached."));
  }
  const themed = [() => {
    for (const mark of document.querySelectorAll(".agent")) mark.querySelector("svg").replaceWith(agentSign(mark.querySelector("span").textContent));
    for (const path of document.querySelectorAll("#strip-key path[stroke='none']")) path.setAttribute("fill", styleOf(data.agents[0]).color);
    for (const path of document.querySelectorAll("#strip-key path:not([stroke='none'])")) path.setAttribute("stroke", css("--muted"));
  }];

  // Horizons, capacity, generalisation -------------------------------------------------------

  function horizonTable(box, sweep, word) {
    const least = (row) => row.horizon !== null && row.horizon >= row.swept ? `≥ ${row.horizon}` : row.horizon === null ? "unknown" : `${row.horizon}`;
    const columns = [
      { title: "agent", value: (row) => row.agent, cell: (row) => agentName(row.agent), ascending: true, class: "first" },
      { title: word, class: "number", value: (row) => row.horizon, cell: (row) => make("strong", {}, least(row)) },
      { title: "interval", class: "number", cell: (row) => row.low === null ? "–" : `${row.low} to ${row.high}` },
      { title: "range", class: "number", cell: (row) => row.least === null ? "–" : `${row.least} to ${row.most}` },
      { title: "seeds", class: "number", cell: (row) => row.unknown ? `${row.seeds} of ${row.seeds + row.unknown}` : `${row.seeds}` },
    ];
    box.append(scroller(`Table: ${word}`, makeTable(`${word} of each agent`, columns, sweep.rows, 1)));
  }

  function sweeps() {
    const parts = [["horizon-echo", "echo", "horizon", "horizon"], ["horizon-recall", "recall", "horizon", "horizon"], ["capacity-chart", "copy", "capacity", "capacity"]];
    for (const [id, name, spec, word] of parts) {
      const sweep = data.horizons[name];
      const table = byId(id.replace("-chart", "") + "-table");
      if (!sweep.points.length) {
        byId(id).append(make("p", { class: "empty" }, "No cells are there; see what is missing."));
        continue;
      }
      scoreChart(byId(id), spec, sweep.points, `Memory ${word}, ${name}`);
      horizonTable(table, sweep, word);
      const largest = Math.max(...sweep.rows.map((row) => row.swept));
      const budgets = [...new Set(sweep.rows.map(budget))];
      table.append(make("p", { class: "note" }, `Learned for at most ${budgets.join("; ")}. Range: of the seeds. ≥: remembered up to the largest that was swept, ${largest}. Seeds without all cells that are needed are left out.`));
    }
    const agents = (points) => new Set(points.map((point) => point.agent));
    addChips(document.querySelector("#horizon .chips"), agents([...data.horizons.echo.points, ...data.horizons.recall.points]));
    addChips(document.querySelector("#capacity .chips"), agents(data.horizons.copy.points));
    addChips(document.querySelector("#generalisation .chips"), agents(data.generalisation.flatMap((each) => each.points)));
    const box = byId("generalisation-charts");
    if (!data.generalisation.length) box.append(make("p", { class: "empty" }, "No cells are there; see what is missing."));
    for (const each of data.generalisation) {
      const chart = make("div", { class: "chart" });
      box.append(make("div", {}, make("h3", {}, each.environment), chart));
      scoreChart(chart, "generalisation", each.points, `Generalisation, ${each.environment}`);
    }
  }

  // Choices of an environment ----------------------------------------------------------------

  function fillPlaces(select, places) {
    const groups = new Map();
    places.forEach((each) => {
      if (!groups.has(each.section)) {
        groups.set(each.section, make("optgroup", { label: each.section }));
        select.append(groups.get(each.section));
      }
      groups.get(each.section).append(make("option", { value: `${data.places.indexOf(each)}` }, each.environment));
    });
    const first = places.find((each) => each.environment.startsWith("SeqEcho-v0")) ?? places[0];
    if (first) select.value = `${data.places.indexOf(first)}`;
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
    fillPlaces(select, data.places);
    addChips(document.querySelector("#curves .chips"), new Set(data.agents));
    const both = ["steps", "seconds"].map((name) => addChart(byId(`curves-${name}`), name, () => {
      const here = chosen(select);
      const rows = styled(here.agents.filter((each) => each[name]).flatMap((each) => {
        const [x, y, low, high] = each[name];
        return x.map((value, i) => ({ agent: each.agent, x: value, y: y[i], low: low[i], high: high[i] }));
      }));
      if (!rows.length) return null;
      const ends = new Map(rows.map((row) => [row.agent, row]));
      const lines = new Map();
      for (const bound of here.bounds === null ? [] : data.bounds) {
        const key = here.bounds[bound].toFixed(2);
        lines.set(key, { y: here.bounds[bound], label: lines.has(key) ? `${lines.get(key).label}, ${bound}` : bound, color: css("--muted") });
      }
      return {
        description: `Learning curves on ${here.environment} by ${name}: ${[...ends.keys()].join(", ")}`,
        change: (spec) => axisValues(spec, decades(rows.map((row) => row.x))),
        datasets: { points: rows, ends: [...ends.values()], bounds: [...lines.values()] },
      };
    }));
    select.addEventListener("change", () => { for (const chart of both) chart.draw(); });
  }

  function accuracies() {
    const select = byId("accuracy-environment");
    fillPlaces(select, data.places);
    const chart = addChart(byId("accuracy-chart"), "accuracy", () => {
      const here = chosen(select);
      const color = css("--muted");
      const cells = here.agents.flatMap((each) => each.accuracy.values.map((y, i) => {
        const { width, length } = each.accuracy;
        const [left, right] = [i * width, Math.min(length, (i + 1) * width)];
        return {
          agent: each.agent, y, color, left: left - 0.5, right: right - 0.5, middle: (left + right - 1) / 2,
          steps: right - left > 1 ? `${left} to ${right - 1}` : `${left}`, accuracy: y === null ? "no answer is due" : fixed(y),
        };
      }));
      byId("accuracy-note").textContent = here.agents.some((each) => each.accuracy.width > 1) ? "Each column is the mean of several time steps." : "";
      if (!cells.length) return null;
      return {
        description: `Accuracy by time step on ${here.environment}`,
        datasets: { cells },
        change: (spec) => {
          spec.params.find((each) => each.name === "columns").value = Math.max(...here.agents.map((each) => each.accuracy.values.length));
          spec.height = 26 * here.agents.length;
        },
      };
    });
    select.addEventListener("change", () => chart.draw());
  }

  // Player -----------------------------------------------------------------------------------

  const player = { timer: null };
  const INTERVAL = 700; // ms for a time step

  function text(value) {
    if (value === null) return "blank";
    if (Array.isArray(value)) return value.map(text).join(" ");
    return Number.isInteger(value) || typeof value !== "number" ? `${value}` : fixed(value, 2);
  }

  function refill(select, options, keep) {
    const before = keep ? select.value : null;
    select.replaceChildren(...options.map(([value, label]) => make("option", { value: `${value}` }, label)));
    if (options.some(([value]) => `${value}` === before)) select.value = before;
    select.disabled = options.length === 0;
  }

  function chooseEpisode() {
    stop();
    const here = chosen(byId("player-environment"));
    refill(byId("player-agent"), here.agents.map((each) => [each.agent, each.agent]), true);
    const who = here.agents.find((each) => each.agent === byId("player-agent").value);
    const seeds = Object.keys(who.episodes);
    refill(byId("player-seed"), seeds.map((seed) => [seed, seed]), true);
    const episodes = seeds.length ? who.episodes[byId("player-seed").value] : [];
    refill(byId("player-episode"), episodes.map((_, i) => [i, `${i + 1}`]), true);
    byId("player-box").hidden = !episodes.length;
    byId("player-note").textContent = !episodes.length ? "The page holds no episode of this agent here."
      : who.seesFuture ? "This agent saw the whole episode before it answered: it could not act in it." : "";
    if (!episodes.length) return;
    const [shown, targets, due, answers, sure, scores] = episodes[Number(byId("player-episode").value)];
    player.steps = shown.map((input, i) => ({
      input, due: due[i] === "1", target: targets[i], answer: answers[i], sure: sure[i], score: scores[i],
    }));
    const slider = byId("player-time");
    slider.max = `${player.steps.length - 1}`;
    slider.value = "0";
    layTable();
    show();
  }

  const ROWS = ["step", "shown", "due", "answer", "verdict", "sure"];
  function layTable() {
    const line = (name, t) => make("tr", t === 5 ? { class: "sure" } : {}, make("th", { scope: "row" }, name), ...player.steps.map(() => make("td")));
    const lines = ROWS.map(line);
    byId("player-table").replaceChildren(make("caption", { class: "hidden" }, "The episode so far"), make("thead", {}, lines[0]), make("tbody", {}, ...lines.slice(1)));
    player.cells = lines.map((each) => [...each.querySelectorAll("td")]);
    player.cells[0].forEach((cell, i) => { cell.textContent = `${i}`; });
    player.drawn = -1;
  }

  const verdict = (step) => step.score === null ? "unknown" : step.score >= 0.9995 ? "right" : step.score <= 0.0005 ? "wrong" : `score ${fixed(step.score, 2)}`;
  const SIGN = { right: "✓", wrong: "✗", unknown: "?" };

  function fillStep(i) {
    const step = player.steps[i];
    const [, input, due, answer, judged, sure] = player.cells.map((row) => row[i]);
    input.textContent = step.input === null ? "" : text(step.input);
    if (!step.due) { for (const cell of [due, answer, judged]) cell.textContent = "·"; return; }
    due.textContent = text(step.target);
    answer.textContent = text(step.answer);
    const said = verdict(step);
    judged.textContent = SIGN[said] ?? fixed(step.score, 2);
    judged.setAttribute("aria-label", said);
    judged.className = said in SIGN ? said : "";
    if (step.sure === null) { sure.textContent = "?"; return; }
    sure.replaceChildren(`${Math.round(100 * step.sure)}%`, make("span", { class: "bar", style: `height:${Math.max(1, Math.round(36 * step.sure))}px` }));
  }

  function show() {
    const now = Number(byId("player-time").value);
    const { steps, cells } = player;
    // The future is not in the page's elements at all until its time has come.
    for (let i = player.drawn + 1; i <= now; i += 1) fillStep(i);
    for (let i = now + 1; i <= player.drawn; i += 1) {
      for (const row of cells.slice(1)) { row[i].replaceChildren(); row[i].className = ""; row[i].removeAttribute("aria-label"); }
    }
    player.drawn = now;
    for (const row of cells) row.forEach((cell, i) => cell.classList.toggle("now", i === now));
    const so = steps.slice(0, now + 1).filter((step) => step.due);
    const total = so.reduce((sum, step) => sum + (step.score ?? 0), 0);
    const step = steps[now];
    const parts = [`Time step ${now}: ${step.input === null ? "nothing is shown" : `shown ${text(step.input)}`}`];
    if (step.due) {
      parts.push(`due ${text(step.target)}`, `answered ${text(step.answer)}, ${verdict(step)}`);
      if (step.sure !== null) parts.push(`${Math.round(100 * step.sure)}% sure`);
    } else parts.push("no answer is due");
    byId("player-now").textContent = `${parts.join("; ")}. Score so far: ${Number(total.toFixed(2))} of ${so.length}.`;
    byId("player-count").textContent = `${now + 1} of ${steps.length}`;
    byId("player-time").setAttribute("aria-valuetext", `time step ${now}`);
    byId("player-back").disabled = now === 0;
    byId("player-forward").disabled = now === steps.length - 1;
    const box = byId("player-scroll");
    const cell = cells[0][now];
    const head = box.querySelector("th").offsetWidth;
    if (cell.offsetLeft - head < box.scrollLeft) box.scrollLeft = cell.offsetLeft - head;
    else if (cell.offsetLeft + cell.offsetWidth > box.scrollLeft + box.clientWidth) box.scrollLeft = cell.offsetLeft + cell.offsetWidth - box.clientWidth;
  }

  function move(by) {
    const slider = byId("player-time");
    slider.value = `${Number(slider.value) + by}`;
    show();
  }

  function stop() {
    clearInterval(player.timer);
    player.timer = null;
    byId("player-play").textContent = "Play";
    byId("player-play").setAttribute("aria-pressed", "false");
    byId("player-now").setAttribute("aria-live", "polite");
  }

  function play() {
    if (player.timer !== null) { stop(); return; }
    const slider = byId("player-time");
    if (slider.value === slider.max) { slider.value = "0"; show(); }
    byId("player-play").textContent = "Pause";
    byId("player-play").setAttribute("aria-pressed", "true");
    byId("player-now").setAttribute("aria-live", "off"); // it would be read out without end
    player.timer = setInterval(() => {
      move(1);
      if (slider.value === slider.max) stop();
    }, INTERVAL);
  }

  function openPlayer(section, environment, agent) {
    const i = data.places.findIndex((each) => each.section === section && each.environment === environment);
    byId("player-environment").value = `${i}`;
    chooseEpisode();
    byId("player-agent").value = agent;
    chooseEpisode();
    byId("player").scrollIntoView();
    byId("player-time").focus({ preventScroll: true });
  }

  function setUpPlayer() {
    fillPlaces(byId("player-environment"), data.places);
    for (const name of ["environment", "agent", "seed", "episode"]) byId(`player-${name}`).addEventListener("change", chooseEpisode);
    byId("player-form").addEventListener("submit", (event) => event.preventDefault());
    byId("player-time").addEventListener("input", () => { stop(); show(); });
    byId("player-back").addEventListener("click", () => { stop(); move(-1); });
    byId("player-forward").addEventListener("click", () => { stop(); move(1); });
    byId("player-play").addEventListener("click", play);
    chooseEpisode();
  }

  // What is missing, and provenance ----------------------------------------------------------

  function missing() {
    const box = byId("missing-body");
    const expected = data.provenance.expected;
    if (expected) {
      const left = expected.cells - expected.there;
      box.append(make("p", {}, left ? `${count(left)} of the ${count(expected.cells)} cells of the suite (${data.suite}) are not there.` : `All ${count(expected.cells)} cells of the suite (${data.suite}) are there.`));
    }
    if (data.missing.length) {
      const columns = [
        { title: "section", value: (row) => row.section, cell: (row) => row.section, ascending: true },
        { title: "environment", value: (row) => row.environment, cell: (row) => row.environment, ascending: true },
        { title: "agent", value: (row) => row.agent, cell: (row) => row.agent, ascending: true },
        { title: "cells", class: "number", value: (row) => row.there / row.expected, cell: (row) => row.there ? `${row.there} of ${row.expected}` : "none", ascending: true },
        { title: "missing seeds", cell: (row) => row.seeds.join(", ") },
      ];
      box.append(make("h3", {}, `Rows without all their cells: ${count(data.missing.length)}`), scroller("Rows without all their cells", makeTable("Rows without all their cells", columns, data.missing), true));
    }
    if (data.damaged.length) {
      const columns = [{ title: "file", cell: (row) => row[0] }, { title: "what is wrong", cell: (row) => row[1] }];
      box.append(make("h3", {}, `Damaged files: ${count(data.damaged.length)}`), scroller("Damaged files", makeTable("Damaged files", columns, data.damaged), true));
    } else box.append(make("p", {}, "No file is damaged."));
    for (const [title, lines] of [["Notes", data.notes], ["Thinned, to keep this page small", data.thinned]]) {
      if (lines.length) box.append(make("h3", {}, title), make("ul", {}, ...lines.map((line) => make("li", {}, line))));
    }
  }

  function provenance() {
    const from = data.provenance;
    const date = (iso) => iso.replace("T", " ").replace("Z", " UTC");
    const rows = [
      ["Cells", count(from.cells)], ["Finished", from.first === from.last ? date(from.first) : `${date(from.first)} to ${date(from.last)}`],
      ["Processor time spent learning", time(from.seconds)], ["Wall-clock time of all cells, added up", time(from.wallSeconds)],
      [from.machines.length > 1 ? "Machines" : "Machine", from.machines.join("; ")],
      ...from.versions.map((each, i) => [from.versions.length > 1 ? `Versions, ${i + 1} of ${from.versions.length}` : "Versions", each]),
      ["Intervals", data.method], ["Page made", date(from.made)],
    ];
    for (const [name, value] of rows) byId("provenance-body").append(make("dt", {}, name), make("dd", {}, value));
    const gone = from.expected ? from.expected.cells - from.expected.there : 0;
    byId("facts").append([
      plural(from.cells, "cell"), plural(data.agents.length, "agent"), plural(data.places.length, "environment"),
      `${time(from.seconds)} of processor time`, from.machines.length === 1 ? from.machines[0] : plural(from.machines.length, "machine"),
      `last finished ${date(from.last)}`,
    ].join(" · "));
    const lacking = [gone ? plural(gone, "cell") + " missing" : "", data.damaged.length ? plural(data.damaged.length, "damaged file") : ""].filter(Boolean);
    if (lacking.length) byId("facts").append(" · ", make("a", { href: "#missing" }, lacking.join(", ")));
  }

  for (const each of document.querySelectorAll(".method")) each.textContent = data.method;
  for (const each of document.querySelectorAll(".least-seeds")) each.textContent = `${data.leastSeeds}`;
  for (const each of document.querySelectorAll(".solved-horizon")) each.textContent = `${data.solvedHorizon}`;
  overview();
  environmentTables();
  sweeps();
  curves();
  accuracies();
  setUpPlayer();
  missing();
  provenance();
  for (const query of [dark, phone]) query.addEventListener("change", () => { for (const each of themed) each(); redraw(); });
})();

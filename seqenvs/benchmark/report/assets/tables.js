// Tables that are sorted by their headings.

function scroller(label, table, tall = false) {
  return make("div", { class: tall ? "scroll tall" : "scroll", tabIndex: 0, role: "region", "aria-label": label }, table);
}

/* Make a table. A column has a title, cell (of a row: what is shown), and maybe value (of a row: what
   it is sorted by), ascending (its first order), class, and head (what is shown instead of the title).
   The first column heads its rows. */
function makeTable(caption, columns, rows, start = null) {
  const body = make("tbody");
  const classOf = (column) => (column.class ? { class: column.class } : {});
  const heads = columns.map((column) => {
    const head = make("th", { scope: "col", ...classOf(column) });
    if (!column.value) { head.append(column.head ? column.head() : column.title); return head; }
    const button = make("button", { type: "button" }, column.title);
    button.addEventListener("click", () => sort(column, head));
    head.append(button);
    return head;
  });
  const lines = new Map(rows.map((row) => [row, make("tr", {}, ...columns.map((column, i) =>
    make(i === 0 ? "th" : "td", { ...(i === 0 ? { scope: "row" } : {}), ...classOf(column) }, column.cell(row))))]));
  function sort(column, head) {
    const down = head.getAttribute("aria-sort") ? head.getAttribute("aria-sort") === "ascending" : !column.ascending;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const sorted = [...rows].sort((a, b) => {
      const [x, y] = [column.value(a), column.value(b)];
      if (x === null || y === null) return (x === null) - (y === null); // unknown values stay last
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

const textColumn = (name, title = name) =>
  ({ title, value: (row) => row[name], cell: (row) => row[name], ascending: true });
const agentColumn = { ...textColumn("agent"), cell: (row) => agentName(row.agent, row.sees_future), class: "first" };
const sourceColumn = { ...textColumn("learns_from", "learned from"), class: "source" };

const interval = (row, name) =>
  row[`${name}_low`] === null ? "" : `${fixed(row[`${name}_low`])} to ${fixed(row[`${name}_high`])}`;
const estimate = (row, name) => make("span", { class: "estimate" },
  make("span", { class: "range" }, `${interval(row, name)} `), make("strong", {}, fixed(row[name])));

// Leaderboard ------------------------------------------------------------------------------------

function overview(leaderboard) {
  const found = new Map(leaderboard.map((row) => [`${row.agent}\n${row.environment}`, row]));
  const environments = [...new Set(leaderboard.map((row) => row.environment))];
  const needed = new Set(leaderboard.filter((row) => row.memory_score !== null).map((row) => row.environment));
  const rows = rowsOf("overall");
  const columns = [agentColumn, sourceColumn,
    { title: "overall", class: "number", value: (row) => row.memory_score, cell: (row) => estimate(row, "memory_score") },
    { title: "solved", class: "number", value: (row) => row.solved + row.solved / (row.environments + 1), cell: (row) => `${row.solved} of ${row.environments}` }];
  for (const environment of environments) {
    const [score, tag] = needed.has(environment) ? ["memory_score", "span"] : ["mean_return", "em"];
    const value = (row) => found.get(`${row.agent}\n${environment}`)?.[score] ?? null;
    columns.push({
      title: environment.replace(/^Seq(\w+?)(Medium|Hard)?-v\d+/, (_, name, level) => (level ? `${name} ${level}` : name)),
      class: "score", value,
      cell: (row) => {
        const shade = needed.has(environment) ? 0.55 * Math.min(1, Math.max(0, value(row) ?? 0)) : 0;
        return make(value(row) === null ? "span" : tag, { style: `--part: ${shade}` }, fixed(value(row), 2));
      },
    });
  }
  return scroller("Memory scores, agents by environments", makeTable("Memory score of each agent in each environment", columns, rows, 2));
}

// The mean return, its interval and the seeds beside the bounds, on a line from 0 to 1.
function strip(row) {
  const x = (value) => 8 + 194 * Math.min(1, Math.max(0, value));
  const [color, muted] = [colorOf(row.agent), "var(--muted)"];
  const [low, high] = [row.mean_return_low ?? row.mean_return, row.mean_return_high ?? row.mean_return];
  return draw("svg", { viewBox: "0 0 210 24", role: "img", "aria-label": `mean return ${fixed(row.mean_return)}, on a line from 0 to 1` },
    draw("path", { d: "M8,12H202", stroke: "var(--line)" }),
    ...row.returns.map((value) => draw("path", { d: `M${x(value)},6V18`, stroke: color, opacity: "0.7", "stroke-width": "1.5" })),
    ...data.bounds.filter((name) => row[name] !== null).map((name) =>
      symbol(BOUNDS[name][0], muted, false, { transform: `translate(${x(row[name])},12) scale(0.8)` })),
    draw("path", { d: `M${x(low)},12H${x(high)}`, stroke: color, opacity: "0.45", "stroke-width": "4" }),
    symbol(SYMBOLS[shapeOf(row.agent)], color, true, { transform: `translate(${x(row.mean_return)},12) scale(0.9)` }));
}

function environmentTable(environment, rows) {
  const bounds = rows[0].clock === null ? "The bounds are not known."
    : data.bounds.map((name) => `${name} ${fixed(rows[0][name], 4)}`).join(" · ");
  const none = rows[0].clock === null ? "unknown" : "none needed";
  const play = (row) => {
    const button = make("button", { type: "button", class: "small", "aria-label": `Play episodes of ${row.agent} on ${environment}` }, "Play");
    button.addEventListener("click", () => openPlayer("Leaderboard", environment, row.agent));
    return button;
  };
  const number = (name, title, cell, ascending = false) => ({ title, class: "number", value: (row) => row[name], cell, ascending });
  const columns = [agentColumn, sourceColumn,
    { class: "strip", head: () => make("span", {}, make("span", {}, "0"), make("span", {}, "return"), make("span", {}, "1")), cell: strip },
    number("mean_return", "mean return", (row) => fixed(row.mean_return)),
    number("memory_score", "memory score", (row) => (row.memory_score === null ? make("span", { class: "weak" }, none) : estimate(row, "memory_score"))),
    { ...number("solved", "solved", (row) => `${row.solved} of ${row.seeds}`), value: (row) => row.solved / row.seeds },
    number("steps", "steps", (row) => compact(row.steps), true), number("seconds", "time", (row) => time(row.seconds), true),
    { title: "", cell: play }];
  const name = `Agents on ${environment}`;
  return make("div", { class: "environment" }, make("h4", {}, environment), note(bounds),
    scroller(name, makeTable(name, columns, rows, rows.some((row) => row.memory_score !== null) ? 4 : 3)));
}

function leaderboard() {
  const rows = rowsOf("leaderboard");
  if (!rows.length) { byId("overview").append(empty("There are no results of this section.")); return; }
  byId("overview").append(overview(rows), note("Overall: the interquartile mean over all environments that need memory, and its interval. Solved: environments that every seed solved, of those with results. –: no result."));
  byId("strip-key").append(make("li", {}, agentSign(rows[0].agent), "mean return; bar: its interval; ticks: seeds"),
    ...data.bounds.map((name) => make("li", {}, sign(BOUNDS[name][0], "var(--muted)", false), BOUNDS[name][1])));
  const groups = new Map();
  for (const row of rows) groups.set(row.environment, [...(groups.get(row.environment) ?? []), row]);
  byId("environments").append(...[...groups].map(([environment, each]) => environmentTable(environment, each)),
    note("Steps and time: medians over seeds, until the target or the budget was reached."));
}

// Memory horizons --------------------------------------------------------------------------------

function horizonTable(section, word) {
  const rows = rowsOf("horizons").filter((row) => row.section === section);
  const reached = (row) => (row.horizon === null ? "unknown" : `${row.horizon >= row.largest ? "≥ " : ""}${row.horizon}`);
  const columns = [agentColumn, sourceColumn,
    { title: word, class: "number", value: (row) => row.horizon, cell: (row) => make("strong", {}, reached(row)) },
    { title: "range", class: "number", cell: (row) => (row.least === null ? "–" : `${row.least} to ${row.most}`) },
    { title: "seeds", class: "number", cell: (row) => (row.unknown ? `${row.seeds} of ${row.seeds + row.unknown}` : `${row.seeds}`) }];
  const largest = Math.max(...rows.map((row) => row.largest));
  return [scroller(`Table: ${section}`, makeTable(section, columns, rows, 2)),
    note(`Learned for at most ${data.budgets[section]}. Range: lowest and highest seed. ≥: remembered up to the largest that was tested, ${largest}. A seed that lacks a result that decides is left out.`)];
}

// What is missing, and provenance ----------------------------------------------------------------

function missing() {
  const box = byId("missing-body");
  const { expected, missing: left } = data.facts;
  if (expected) box.append(make("p", {}, left ? `${count(left)} of the ${count(expected)} runs of the suite are not there.` : `All ${count(expected)} runs of the suite are there.`));
  const listing = (title, columns, rows) => {
    if (rows.length) box.append(make("h3", {}, `${title}: ${count(rows.length)}`), scroller(title, makeTable(title, columns, rows), true));
  };
  listing("Rows without all their runs", [textColumn("section"), textColumn("environment"), textColumn("agent"),
    { title: "runs", class: "number", value: (row) => row.there / row.expected, cell: (row) => (row.there ? `${row.there} of ${row.expected}` : "none"), ascending: true },
    { title: "missing seeds", cell: (row) => row.seeds }], rowsOf("missing"));
  listing("Damaged files", [textColumn("file"), { title: "what is wrong", cell: (row) => row.reason }], rowsOf("damaged"));
  if (!rowsOf("damaged").length) box.append(make("p", {}, "No file is damaged."));
  for (const [title, lines] of [["Notes", data.notes], ["Thinned, to keep this page small", data.thinned]]) {
    if (lines.length) box.append(make("h3", {}, title), make("ul", {}, ...lines.map((line) => make("li", {}, line))));
  }
}

function provenance() {
  for (const [name, value] of data.facts.provenance) byId("provenance-body").append(make("dt", {}, name), make("dd", {}, value));
  byId("facts").append(data.facts.line.join(" · "));
  if (data.facts.lacking.length) byId("facts").append(" · ", make("a", { href: "#missing" }, data.facts.lacking.join(", ")));
}

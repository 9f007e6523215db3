// Tables are there without this script. It adds what needs one: sorting, signs, shades, buttons.

const numberOf = (text) => parseFloat(text.replace(/[≥,\s]/g, ""));
const compare = (a, b) => (numberOf(a) - numberOf(b)) || a.localeCompare(b, "en", { numeric: true });

// The first two columns are names. They begin in alphabetical order, numbers with the largest.
function sortable(table) {
  const [heads, body] = [[...table.tHead.rows[0].cells], table.tBodies[0]];
  heads.forEach((head, i) => {
    const button = make("button", { type: "button" }, head.textContent);
    head.replaceChildren(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : i > 1;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const text = (row) => row.cells[i].textContent;
      const rows = [...body.rows].sort((a, b) => compare(text(a), text(b)));
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}

function tables() {
  for (const table of document.querySelectorAll("table.sorted")) {
    sortable(table);
    for (const row of table.tBodies[0].rows) {
      const agent = row.cells[0].textContent;
      if (places.has(agent)) row.cells[0].replaceChildren(agentName(agent));
    }
  }
  for (const row of document.querySelectorAll('[aria-label="Overview"] tbody tr')) {
    for (const cell of [...row.cells].slice(4)) {
      const score = Math.min(1, Math.max(0, numberOf(cell.textContent) || 0));
      cell.style.setProperty("--part", 0.55 * score);
    }
  }
  for (const table of document.querySelectorAll("#leaderboard table")) {
    const environment = table.caption.textContent;
    if (!data.places.some((place) => place.environment === environment)) continue;
    table.tHead.rows[0].append(make("td"));
    for (const row of table.tBodies[0].rows) {
      const agent = row.cells[0].textContent;
      const label = `Play episodes of ${agent} on ${environment}`;
      const button = make("button", { type: "button", class: "small", "aria-label": label }, "Play");
      button.addEventListener("click", () => openPlayer("Leaderboard", environment, agent));
      row.append(make("td", {}, button));
    }
  }
}

// The player of episodes.

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
    : who.seesFuture ? "This agent saw the whole episode before it answered, so it could not act in it." : "";
  if (!episodes.length) return;
  const [inputs, targets, due, answers, sure, scores] = episodes[Number(byId("player-episode").value)];
  player.steps = inputs.map((input, i) => ({
    input, due: due[i], target: targets[i], answer: answers[i], sure: sure[i], score: scores[i],
  }));
  const slider = byId("player-time");
  slider.max = `${player.steps.length - 1}`;
  slider.value = "0";
  buildTable();
  show();
}

const ROWS = ["step", "shown", "due", "answer", "verdict", "sure"];
function buildTable() {
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
  fillPlaces(byId("player-environment"));
  for (const name of ["environment", "agent", "seed", "episode"]) byId(`player-${name}`).addEventListener("change", chooseEpisode);
  byId("player-form").addEventListener("submit", (event) => event.preventDefault());
  byId("player-time").addEventListener("input", () => { stop(); show(); });
  byId("player-back").addEventListener("click", () => { stop(); move(-1); });
  byId("player-forward").addEventListener("click", () => { stop(); move(1); });
  byId("player-play").addEventListener("click", play);
  chooseEpisode();
}

// All sections -----------------------------------------------------------------------------------

tables();
finding();
sweeps();
curves();
accuracies();
setUpPlayer();
document.body.dataset.ready = "";
dark.addEventListener("change", redrawAll);

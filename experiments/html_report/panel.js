const data = JSON.parse(document.getElementById("data").textContent);
const panel = document.getElementById("panel"), panelTitle = document.getElementById("panel-title"), panelBody = document.getElementById("panel-body");
const shared = number => data.shared[number];
const MOST_OPEN = 1; // runs that are unfolded when a cell is opened

function terms(pairs) {
  const kept = pairs.filter(([, value]) => value !== undefined && value !== null && value !== "");
  return kept.length ? node("dl", {}, kept.flatMap(([name, value]) => [node("dt", {}, name), node("dd", {}, value)])) : null;
}

function copied(button, text) {
  const said = words => { button.textContent = words; setTimeout(() => { button.textContent = "copy"; }, 1500); };
  const byHand = () => {
    const area = node("textarea", {"aria-hidden": "true"});
    area.value = text;
    panelBody.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    button.focus();
    said(done ? "copied" : "not copied");
  };
  if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => said("copied"), byHand); else byHand();
}
function command(text) {
  const button = node("button", {type: "button"}, "copy");
  button.addEventListener("click", () => copied(button, text));
  return node("div", {class: "command"}, node("code", {}, text), button);
}

// What is folded is made when it is first opened.
function folded(words, make, open = false, kind = "") {
  const inside = node("div"), made = node("details", kind ? {class: kind} : {}, node("summary", {}, words), inside);
  let filled = false;
  const fillOnce = () => { if (made.open && !filled) { filled = true; inside.append(...[make()].flat().filter(Boolean)); } };
  made.addEventListener("toggle", fillOnce);
  made.open = open;
  fillOnce();
  return made;
}
const json = value => node("pre", {tabindex: 0}, JSON.stringify(value, null, 2));
const duration = seconds => seconds < 120 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
const configOf = run => Object.fromEntries(Object.entries(run.config).map(([group, number]) => [group, shared(number)]));
const listed = entries => Object.entries(entries ?? {}).map(([key, value]) => `${key} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(", ");

function dataFiles(source) {
  const files = Object.entries(source.files ?? {});
  if (!files.length) return null;
  return folded(`${files.length} data file${files.length > 1 ? "s" : ""} with blob ids`, () => node("dl", {}, files.flatMap(([path, id]) => [node("dt", {}, path), node("dd", {}, node("code", {}, typeof id === "string" ? id : JSON.stringify(id)))])));
}

function splitOf(run, name) {
  const split = run.splits[name], labels = shared(run.labels);
  const parts = [node("dl", {class: "figures"}, Object.entries(split.figures).map(([key, value]) => node("div", {}, node("dt", {}, key.replaceAll("_", " ")), node("dd", {}, value.toFixed(4)))))];
  if (split.confusion) parts.push(folded("Confusion matrix: true labels down, answers across, % of the true label", () => confusion(split.confusion, labels), name === "test"));
  if (split.classes.f1.length) parts.push(folded("Precision, recall and F1 of each class", () => perClass(split.classes, labels), name === "test" && !split.confusion));
  return parts;
}

function inside(name) {
  const run = data.runs[name], source = shared(run.data), rows = Object.entries(source.rows ?? {}).map(([split, count]) => `${Number(count).toLocaleString("en")} ${split}`).join(", ");
  const order = ["test", "validation"].filter(split => run.splits[split]);
  return [
    command(run.command),
    ...(run.warnings ?? []).map(words => node("p", {class: "warning"}, `warning: ${words}`)),
    curves([run]),
    ...order.map((split, place) => folded(`On ${split}`, () => splitOf(run, split), place === 0)),
    node("h3", {}, "Provenance"),
    terms([
      ["date", run.date], ["code", run.code ? `${run.code}${run.dirty ? " + changes" : ""}` : null],
      ["machine", listed(shared(run.machine))], ["software", listed(shared(run.software))],
      ["time", run.wall === undefined ? null : duration(run.wall)], ["peak memory", run.memory === undefined ? null : `${Math.round(run.memory)} MB`],
      ["interruptions", run.interruptions === undefined ? null : String(run.interruptions)],
      ["parameters", run.parameters === undefined ? null : run.parameters.toLocaleString("en")],
      ["kept epoch", run.best === undefined ? null : String(run.best + 1)],
      ["data", [source.repository, source.commit].filter(Boolean).join(" @ ") || null], ["cleaning", listed(source.cleaning)], ["rows", rows],
      ["typed then", node("code", {}, shared(run.overrides).join(" "))],
    ]),
    dataFiles(source),
    folded("Configuration", () => json(configOf(run))),
    run.files ? folded("Files of the run, SHA-256", () => json(run.files)) : null,
  ];
}

function runCard(name, value, open) {
  const run = data.runs[name];
  const words = node("span", {}, node("code", {}, name), ` seed ${run.seed}`), head = [words];
  if (value !== null) head.push(node("b", {}, value));
  head.push(node("small", {class: "soft"}, [run.date, run.wall === undefined ? "" : duration(run.wall)].filter(Boolean).join(", ")));
  return folded(node("span", {}, ...head.flatMap(part => [part, " "])), () => inside(name), open, "run");
}

function opened(title, parts, id) {
  panelTitle.replaceChildren(...title);
  panelBody.replaceChildren(...parts.flat().filter(Boolean));
  if (!panel.open) panel.showModal();
  panel.scrollTop = 0;
  panelTitle.focus({preventScroll: true});
  history.replaceState(null, "", `#${encodeURIComponent(id)}`);
}

function openCell(number) {
  const cell = data.cells[number], about = data.experiments[cell.experiment], [sign, meaning] = data.verdicts[cell.verdict];
  const verdict = node("p", {class: "verdict", "data-v": cell.verdict.replaceAll(" ", "-")}, node("b", {}, `${sign} ${cell.verdict}`), `: ${meaning}.`);
  const over = {seeds: "Student's over seeds", rows: "bootstrap over the rows of one run"}[cell.of];
  const count = cell.values.length;
  const parts = [
    verdict,
    terms([
      ["published", cell.published], ["measured", cell.mean ? `${cell.mean} (${count === 1 ? "one run" : `mean of ${count} seeds`}${cell.stale ? ", stale" : ""})` : "not run"],
      ["95 % interval", cell.interval ? `${cell.interval}, ${over}` : null],
      ["one more run", cell.next && cell.of === "seeds" ? `would fall in ${cell.next.map(end => end.toFixed(cell.digits)).join(" – ")}, 95 %` : null],
      ["stale, so not judged", cell.stale ? cell.stale.join("; ") : null], ["difference", cell.difference], ["split", cell.split], ["seeds not run", about.missing.length ? about.missing.join(", ") : null],
      ["stand-in", about.standIn], ["not run because", about.lacking],
    ]),
    spread(cell),
  ];
  if (about.command) parts.push(node("h3", {}, count > 1 ? "All its runs" : "Command"), command(about.command));
  if (about.asPublished) parts.push(node("h3", {}, "As published"), command(about.asPublished));
  const curved = cell.values.map(([name]) => data.runs[name]).filter(run => run.curves);
  if (curved.length > 1) parts.push(node("h3", {}, `Curves of ${curved.length} runs, their mean drawn thick`), curves(curved));
  if (count) parts.push(node("h3", {}, count > 1 ? "Runs" : "Run"), ...cell.values.map(([name, value], place) => runCard(name, value.toFixed(cell.digits), count <= MOST_OPEN)));
  opened([label(shared(cell.at)), " · ", label(cell.row), " · ", label(cell.column)], parts, cell.id);
}
function openRun(name) { opened(["Run ", name], [runCard(name, null, true)], `run-${name}`); }

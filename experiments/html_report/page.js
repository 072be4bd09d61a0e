document.getElementById("close").addEventListener("click", () => panel.close());
panel.addEventListener("click", event => { if (event.target === panel) panel.close(); });
panel.addEventListener("close", () => history.replaceState(null, "", location.pathname + location.search));
document.addEventListener("click", event => {
  const button = event.target.closest("button[data-cell], button[data-run]");
  if (!button) return;
  if (button.dataset.cell !== undefined) openCell(Number(button.dataset.cell)); else openRun(button.dataset.run);
});

// The bar on top covers what is scrolled to: as high as it is, in one line or several.
const controls = document.querySelector(".controls"), leaveRoom = () => document.documentElement.style.setProperty("--bar", `${controls.offsetHeight}px`);
leaveRoom();
new ResizeObserver(leaveRoom).observe(controls);

// Learning curves of figures: drawn by the same code as those of a single run.
for (const figure of document.querySelectorAll("figure[data-curves]")) {
  const drawn = curves(figure.dataset.curves.split(" ").map(name => data.runs[name]));
  if (drawn) figure.append(drawn);
}

for (const box of document.querySelectorAll(".scroll, .filters")) hinted(box);

// Only cells of the chosen verdicts, only rows with the words that are searched.
const filters = [...document.querySelectorAll(".filters button")], search = document.getElementById("search"), found = document.getElementById("found");
const plain = text => text.replaceAll("\ufe0f", "").toLowerCase();
const tables = [...document.querySelectorAll("section.table")].map(section => ({
  section, words: `${section.id} ${section.querySelector("h3").textContent}`.toLowerCase(),
  rows: [...section.querySelectorAll(":scope > .scroll tbody tr")].map(row => ({row, words: plain(row.querySelector("th").textContent), cells: [...row.querySelectorAll("td[data-v]")]})),
}));
const others = [...document.querySelectorAll("section.figure, .introduction, .findings, .allruns")], main = document.getElementById("main");
function narrow() {
  const chosen = new Set(filters.filter(one => one.getAttribute("aria-pressed") === "true").map(one => one.dataset.v)), asked = plain(search.value.trim());
  let cells = 0, shownTables = 0;
  for (const {section, words, rows} of tables) {
    let shown = 0;
    for (const {row, words: own, cells: inRow} of rows) {
      const fits = inRow.filter(cell => !chosen.size || chosen.has(cell.dataset.v));
      for (const cell of inRow) cell.classList.toggle("faded", chosen.size > 0 && !chosen.has(cell.dataset.v));
      row.hidden = (chosen.size > 0 && !fits.length) || (asked !== "" && !own.includes(asked) && !words.includes(asked));
      if (!row.hidden) { shown += 1; cells += fits.length; }
    }
    section.hidden = !shown && rows.length > 0 && (chosen.size > 0 || asked !== "");
    if (shown) shownTables += 1;
  }
  for (const one of others) one.hidden = chosen.size > 0 || (asked !== "" && !plain(one.textContent).includes(asked));
  for (const paper of document.querySelectorAll("section.paper")) paper.hidden = !paper.querySelector(":scope > :is(section, .findings):not([hidden])");
  document.getElementById("rule").hidden = asked !== "";  // what was found comes first
  found.textContent = chosen.size || asked ? `${cells.toLocaleString("en")} cells in ${shownTables} tables` : "";
}
for (const one of filters) one.addEventListener("click", () => { one.setAttribute("aria-pressed", one.getAttribute("aria-pressed") !== "true"); narrow(); });
search.addEventListener("input", () => {
  narrow();
  if (main.getBoundingClientRect().top < 0) main.scrollIntoView();  // to the first that was found
});
if (search.value) narrow();

// Light, dark, or as the system has it; remembered where the browser lets a file remember.
const theme = document.getElementById("theme"), schemes = {auto: "light dark", light: "light", dark: "dark"};
function dress(name) {
  document.documentElement.style.colorScheme = schemes[name];
  theme.querySelector("span").textContent = name;
}
let dressed = "auto";
try { dressed = localStorage.getItem("theme") ?? "auto"; } catch { /* not allowed to remember */ }
if (!(dressed in schemes)) dressed = "auto";
dress(dressed);
theme.addEventListener("click", () => {
  const names = Object.keys(schemes);
  dressed = names[(names.indexOf(dressed) + 1) % names.length];
  dress(dressed);
  try { localStorage.setItem("theme", dressed); } catch { /* as above */ }
});

// Where in the contents the reader is.
const contents = document.getElementById("contents"), links = new Map([...contents.querySelectorAll("a")].map(link => [decodeURIComponent(link.hash.slice(1)), link]));
if (matchMedia("(max-width: 900px)").matches) contents.open = false;
const seen = new IntersectionObserver(entries => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    for (const link of links.values()) link.removeAttribute("aria-current");
    links.get(entry.target.id)?.setAttribute("aria-current", "location");
  }
}, {rootMargin: "-15% 0px -75% 0px"});
for (const id of links.keys()) { const place = document.getElementById(id); if (place && !place.classList.contains("paper")) seen.observe(place); }

// A link to a cell or a run opens its panel.
function follow() {
  let asked = "";
  try { asked = decodeURIComponent(location.hash.slice(1)); } catch { return; }
  const number = data.cells.findIndex(cell => cell.id === asked), name = asked.replace(/^run-/, "");
  if (number >= 0) {
    document.querySelector(`button[data-cell="${number}"]`)?.scrollIntoView({block: "center"});
    openCell(number);
  } else if (name !== asked && Object.hasOwn(data.runs, name)) openRun(name);
  else document.getElementById(asked)?.scrollIntoView();
}
addEventListener("hashchange", follow);
follow();
addEventListener("load", follow, {once: true});  // once more: the browser goes to a place by the height that the bar had

"use strict";
// Text from results only ever becomes the text of a node, never markup.
const SVG = "http://www.w3.org/2000/svg";
const fill = (made, attributes, children) => {
  for (const [key, value] of Object.entries(attributes)) if (value !== null && value !== undefined && value !== false) made.setAttribute(key, value);
  made.append(...children.flat().filter(child => child !== null && child !== undefined && child !== ""));
  return made;
};
const node = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
const mark = (tag, attributes = {}, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
const arabic = /[\u0600-\u06ff]/;
// A sign such as a heart has a plain form and a coloured one, which U+FE0F asks for.
const pictured = /^(?:\p{Extended_Pictographic}|\p{Regional_Indicator}|[\u200d\ufe0f\u{1f3fb}-\u{1f3ff}])+$/u;
const coloured = text => pictured.test(text) && [...text].length === 1 ? `${text}\ufe0f` : text;
const glyph = text => pictured.test(text) ? "emoji" : null;
const nameOf = text => Object.hasOwn(data.names, text) ? data.names[text] : "";
// An emoji and its English name, which alone is read aloud: not every machine has a font of emoji.
function label(text) {
  const called = nameOf(text), drawn = node("bdi", arabic.test(text) ? {lang: "ur", dir: "rtl"} : {class: glyph(text), "aria-hidden": called ? "true" : null}, coloured(text));
  return called ? node("span", {class: "named", title: called}, drawn, " ", node("small", {}, called)) : drawn;
}
// In a line of plain text.
const spoken = text => [text, nameOf(text)].filter(Boolean).join(" ");

// A box that is wider than its place says at which side there is more of it: the style sheet draws a shadow there.
const tell = box => {
  const more = [box.scrollLeft > 1 ? "left" : "", box.scrollLeft + box.clientWidth < box.scrollWidth - 1 ? "right" : ""].filter(Boolean).join(" ");
  if (more) box.dataset.more = more; else delete box.dataset.more;
};
const sizes = new ResizeObserver(entries => { for (const {target} of entries) tell(target.closest(".scroll, .filters")); });
function hinted(box) {
  box.addEventListener("scroll", () => tell(box), {passive: true});
  sizes.observe(box);
  for (const inside of box.children) sizes.observe(inside);
  return box;
}

function ticks(low, high) {
  const rough = (high - low) / 4 || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(one => one * power).find(one => one >= rough);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-6; value += step) found.push(value);
  return {found, places: Math.max(0, -Math.floor(Math.log10(step) + 1e-9))};
}

// Mean over the runs that reached an epoch.
function averaged(columns) {
  const epochs = Math.max(...columns.map(column => column.length));
  return Array.from({length: epochs}, (_, epoch) => {
    const here = columns.map(column => column[epoch]).filter(value => value !== null && value !== undefined);
    return here.length ? here.reduce((sum, value) => sum + value, 0) / here.length : null;
  });
}

// One chart: training and validation by epoch, a thin line a run, a thick one for the mean.
function chart(runs, title, parts) {
  const wide = 420, high = 250, left = 44, right = 12, top = 28, bottom = 30;
  const drawn = parts.map(([kind, key, words]) => ({kind, words, columns: runs.map(run => run.curves[key]).filter(Boolean)})).filter(part => part.columns.length);
  if (!drawn.length) return null;
  const values = drawn.flatMap(part => part.columns.flat()).filter(value => value !== null);
  const epochs = Math.max(...drawn.flatMap(part => part.columns.map(column => column.length)));
  let low = Math.min(...values), most = Math.max(...values);
  const pad = (most - low) * 0.06 || Math.abs(most) * 0.1 || 1;
  low -= pad; most += pad;
  const x = epoch => epochs < 2 ? (left + wide - right) / 2 : left + epoch / (epochs - 1) * (wide - left - right);
  const y = value => top + (most - value) / (most - low) * (high - top - bottom);
  const svg = mark("svg", {class: "chart", viewBox: `0 0 ${wide} ${high}`, role: "img", "aria-label": `${title} by epoch`});
  const {found, places} = ticks(low, most);
  for (const value of found) svg.append(
    mark("line", {class: "grid", x1: left, x2: wide - right, y1: y(value), y2: y(value)}),
    mark("text", {x: left - 6, y: y(value) + 4, "text-anchor": "end"}, value.toFixed(places)));
  const every = Math.ceil(epochs / 10);
  for (let epoch = 0; epoch < epochs; epoch += every) svg.append(mark("text", {x: x(epoch), y: high - 12, "text-anchor": "middle"}, String(epoch + 1)));
  svg.append(mark("text", {x: left, y: 17, "font-weight": 600}, title));
  let place = wide - right;
  for (const part of [...drawn].reverse()) {
    svg.append(mark("text", {class: `${part.kind} word`, x: place, y: 17, "text-anchor": "end"}, `— ${part.words}`));
    place -= 7 * part.words.length + 26;
  }
  if (runs.length === 1 && runs[0].best !== undefined) svg.append(mark("line", {class: "bestline", x1: x(runs[0].best), x2: x(runs[0].best), y1: top, y2: high - bottom}, mark("title", {}, "the epoch that was kept")));
  for (const part of drawn) {
    const lines = part.columns.length > 1 ? [...part.columns.map(column => [column, ""]), [averaged(part.columns), " mean"]] : [[part.columns[0], " mean"]];
    for (const [column, extra] of lines) {
      const points = column.map((value, epoch) => value === null ? null : `${x(epoch).toFixed(1)},${y(value).toFixed(1)}`).filter(Boolean);
      svg.append(mark("polyline", {class: `series ${part.kind}${extra}`, points: points.join(" ")}));
      if (points.length === 1) svg.append(mark("circle", {class: `dot ${part.kind}`, r: 3, cx: points[0].split(",")[0], cy: points[0].split(",")[1]}));
    }
  }
  return svg;
}

// As the papers draw them: loss to the left, accuracy to the right.
function curves(runs) {
  const kept = runs.filter(run => run.curves);
  if (!kept.length) return null;
  const charts = [
    chart(kept, "Loss", [["train", "train_loss", "training"], ["val", "val_loss", "validation"]]),
    chart(kept, "Accuracy", [["train", "train_accuracy", "training"], ["val", "val_accuracy", "validation"]]),
  ];
  return node("div", {class: "pair"}, charts);
}

// Rows are true labels, columns answers; the larger the share of its row, the darker.
function confusion(counts, labels) {
  const size = labels.length, side = size <= 24 ? 24 : 12, font = size <= 24 ? 12 : 9, room = font + 8;
  const words = labels.map(one => glyph(one) ? nameOf(one) : one), signs = labels.map(one => glyph(one) ? coloured(one) : "");
  const longest = Math.min(innerWidth < 600 ? 14 : 24, Math.max(...words.map(one => [...one].length))), edge = 8 + font * 0.62 * longest + (signs.some(Boolean) ? room : 0);
  const short = text => [...text].length > longest ? `${[...text].slice(0, longest - 1).join("")}…` : text;
  const full = edge + size * side + 8;
  const svg = mark("svg", {width: full, height: full, viewBox: `0 0 ${full} ${full}`, role: "img", "aria-label": "Confusion matrix"});
  for (let row = 0; row < size; row++) {
    const total = counts.slice(row * size, row * size + size).reduce((sum, one) => sum + one, 0);
    const middle = edge + row * side + side / 2;
    const beside = edge - 4 - (signs[row] ? room : 0);
    svg.append(mark("text", {x: beside, y: middle + font / 3, "text-anchor": "end", "font-size": font}, short(words[row])));
    svg.append(mark("text", {transform: `translate(${middle + font / 3} ${beside}) rotate(-90)`, "font-size": font}, short(words[row])));
    if (signs[row]) svg.append(
      mark("text", {x: edge - 4 - room / 2, y: middle + font / 3, "text-anchor": "middle", "font-size": font, class: "emoji"}, signs[row]),
      mark("text", {x: middle, y: edge - 7, "text-anchor": "middle", "font-size": font, class: "emoji"}, signs[row]));
    for (let column = 0; column < size; column++) {
      const count = counts[row * size + column];
      if (!count) continue;
      const share = count / total;
      const cell = mark("rect", {x: edge + column * side, y: edge + row * side, width: side - 1, height: side - 1, rx: 2, fill: row === column ? "var(--reproduced)" : "var(--accent)", "fill-opacity": (0.06 + 0.84 * share).toFixed(3)},
        mark("title", {}, `true ${spoken(labels[row])}, answered ${spoken(labels[column])}: ${count.toLocaleString("en")} of ${total.toLocaleString("en")} (${(100 * share).toFixed(1)} %)`));
      svg.append(cell);
      if (side > 20 && share >= 0.095) svg.append(mark("text", {x: edge + column * side + side / 2, y: middle + 3, "text-anchor": "middle", "font-size": 9, "pointer-events": "none"}, String(Math.round(100 * share))));
    }
  }
  return hinted(node("div", {class: "matrix scroll", tabindex: 0, role: "region", "aria-label": "Confusion matrix"}, svg));
}

// Precision, recall and F1 of each class, as numbers and bars.
function perClass(classes, labels) {
  const most = Math.max(0.0001, ...classes.f1, ...classes.precision, ...classes.recall);
  const figure = value => value === null ? [node("td", {class: "number"}, "–"), node("td")] : [node("td", {class: "number"}, value.toFixed(3)), node("td", {class: "meter"}, bar(value / most))];
  const rows = labels.map((one, place) => node("tr", {}, node("th", {scope: "row"}, label(one)),
    figure(classes.precision[place]), figure(classes.recall[place]), figure(classes.f1[place]),
    node("td", {class: "number"}, (classes.support[place] ?? 0).toLocaleString("en")), node("td", {class: "number"}, (classes.predicted[place] ?? 0).toLocaleString("en"))));
  const head = [["class", 1], ["precision", 2], ["recall", 2], ["F1", 2], ["rows", 1], ["answered", 1]].map(([words, span]) => node("th", {scope: "col", colspan: span}, words));
  return hinted(node("div", {class: "scroll", tabindex: 0, role: "region", "aria-label": "Precision, recall and F1 of each class"}, node("table", {class: "perclass"}, node("thead", {}, node("tr", {}, head)), node("tbody", {}, rows))));
}
function bar(share) {
  const made = node("span");
  made.style.width = `${Math.max(0, 100 * share).toFixed(1)}%`;
  return made;
}

// The numbers of the runs on a line, with the interval of their mean and the published number.
function spread(cell) {
  const values = cell.values.map(([, value]) => value), shown = [...values, ...(cell.ends ?? []), ...(cell.next ?? []), ...("printed" in cell ? [cell.printed] : [])];
  if (!values.length || shown.length < 2) return null;
  const low = Math.min(...shown), high = Math.max(...shown), wide = Math.min(560, innerWidth - 40), room = 30;
  const x = value => room + (high > low ? (value - low) / (high - low) : 0.5) * (wide - 2 * room);
  const svg = mark("svg", {class: "chart", viewBox: `0 0 ${wide} 74`, role: "img", "aria-label": "Runs, interval and published number on a line"}, mark("line", {class: "grid", x1: 10, x2: wide - 10, y1: 36, y2: 36}));
  if (cell.next) svg.append(mark("rect", {x: x(cell.next[0]), y: 28, width: Math.max(1, x(cell.next[1]) - x(cell.next[0])), height: 16, rx: 3, fill: "var(--accent)", "fill-opacity": 0.14}, mark("title", {}, "where one more run would fall, 95 %")));
  if (cell.ends) svg.append(mark("rect", {x: x(cell.ends[0]), y: 32, width: Math.max(1, x(cell.ends[1]) - x(cell.ends[0])), height: 8, rx: 3, fill: "var(--accent)", "fill-opacity": 0.4}, mark("title", {}, "95 % interval of the mean")));
  for (const [name, value] of cell.values) svg.append(mark("circle", {cx: x(value), cy: 36, r: 4.5, fill: "var(--accent)"}, mark("title", {}, `${name}: ${value.toFixed(cell.digits)}`)));
  if ("printed" in cell) svg.append(mark("path", {class: "published", d: `M${x(cell.printed)} 20v32`}), mark("text", {x: x(cell.printed), y: 14, "text-anchor": "middle"}, "published"));
  svg.append(mark("text", {x: x(low), y: 66, "text-anchor": "middle"}, low.toFixed(cell.digits)), mark("text", {x: x(high), y: 66, "text-anchor": "middle"}, high > low ? high.toFixed(cell.digits) : ""));
  return svg;
}

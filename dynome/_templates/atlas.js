"use strict";
const atlas = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
let current = 0;
let sought = "";

function shape(parent, tag, attributes, text) {
  const element = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  if (text !== undefined) element.textContent = text;
  parent.appendChild(element);
  return element;
}

function put(parent, tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  parent.appendChild(element);
  return element;
}

const counted = (n, one, many) => n + " " + (n === 1 ? one : many);
const shown = (value) => (value === null || value === undefined ? "–" : Number(value.toPrecision(3)).toString());

function tell(event, text) {
  const tip = at("tip");
  tip.textContent = text;
  const box = tip.getBoundingClientRect();
  tip.style.left = Math.max(4, Math.min(event.clientX + 14, innerWidth - box.width - 6)) + "px";
  tip.style.top = Math.max(4, Math.min(event.clientY + 16, innerHeight - box.height - 6)) + "px";
  tip.style.visibility = "visible";
}
const hush = () => { at("tip").style.visibility = "hidden"; };

function hover(element, text) {
  element.addEventListener("pointermove", (event) => tell(event, text));
  element.addEventListener("pointerleave", hush);
}

function path(component, width, height, span) {
  const top = Math.max(...component.course.filter((v) => v !== null), 0) || 1;
  const x = (t) => ((t - span[0]) / (span[1] - span[0] || 1)) * width;
  let line = "", pen = false;
  component.course.forEach((value, k) => {
    if (value === null) { pen = false; return; }
    line += (pen ? "L" : "M") + x(atlas.time[k]).toFixed(1) + " " + (height - (value / top) * height).toFixed(1);
    pen = true;
  });
  return line;
}

function ticks(low, high, count) {
  const rough = (high - low) / count || 1;
  const power = Math.pow(10, Math.floor(Math.log10(rough)));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= rough);
  const found = [];
  for (let k = Math.ceil(low / step); k * step <= high + 1e-9 * step; k += 1) found.push(Number((k * step).toPrecision(10)));
  return found;
}

function drawList() {
  atlas.components.forEach((component, k) => {
    const item = put(at("list"), "li");
    const button = put(item, "button");
    button.type = "button";
    button.style.setProperty("--hue", component.color);
    put(button, "strong", "component " + component.name + " ");
    const verdict = component.above ? "" : " · not above chance";
    put(button, "small", (100 * component.share).toFixed(0) + " % · " + component.nodes.length + " nodes" + verdict);
    const spark = document.createElementNS(SVG, "svg");
    spark.setAttribute("viewBox", "0 0 240 26");
    spark.setAttribute("preserveAspectRatio", "none");
    shape(spark, "path", { d: path(component, 240, 25, atlas.span), fill: "none", stroke: component.color, "stroke-width": 1 });
    button.appendChild(spark);
    button.addEventListener("click", () => select(k));
  });
  const names = new Set(atlas.components.flatMap((c) => c.nodes));
  [...names].sort().forEach((name) => { put(at("names"), "option").value = name; });
}

function drawCourse(component) {
  const svg = at("course");
  svg.replaceChildren();
  const width = 960, height = 170, left = 110, strip = 15;
  const rows = atlas.epochs.length;
  const whole = height + rows * strip + 42;
  svg.setAttribute("viewBox", "0 0 " + (left + width + 12) + " " + whole);
  svg.style.width = "100%";
  const [low, high] = atlas.span;
  const x = (t) => left + ((t - low) / (high - low || 1)) * width;
  for (const [a, b] of component.intervals) {
    const band = shape(svg, "rect", { x: x(a), y: 4, width: Math.max(x(b) - x(a), 1), height: height, fill: component.color, opacity: 0.15 });
    hover(band, "active from " + shown(a) + " to " + shown(b));
  }
  const group = shape(svg, "g", { transform: "translate(" + left + " 4)" });
  const line = path(component, width, height, atlas.span);
  shape(group, "path", { d: line, fill: "none", stroke: component.color, "stroke-width": 1.4, "stroke-linejoin": "round", "pointer-events": "none" });
  shape(svg, "line", { x1: left, x2: left + width, y1: height + 4, y2: height + 4, class: "line" });
  atlas.epochs.forEach((epoch, r) => {
    const y = height + 8 + r * strip;
    const q = component.overlap_q ? component.overlap_q[r] : null;
    shape(svg, "text", { x: left - 6, y: y + 10, "text-anchor": "end", class: "quiet" }, epoch.name + (q !== null && q < 0.05 ? " *" : ""));
    for (const [a, b, share] of epoch.bars) {
      const bar = shape(svg, "rect", { x: x(a), y: y, width: Math.max(x(b) - x(a), 0.8), height: strip - 3, fill: "currentColor", opacity: 0.15 + 0.65 * share });
      hover(bar, epoch.name + "\n" + shown(a) + " to " + shown(b) + (share < 1 ? "\n" + Math.round(100 * share) + " % of the animals" : ""));
    }
  });
  const floor = height + 8 + rows * strip;
  for (const t of ticks(low, high, 8)) {
    shape(svg, "line", { x1: x(t), x2: x(t), y1: floor, y2: floor + 5, class: "line" });
    shape(svg, "text", { x: x(t), y: floor + 17, "text-anchor": "middle", class: "quiet" }, String(t));
  }
  shape(svg, "text", { x: left + width / 2, y: floor + 32, "text-anchor": "middle", class: "quiet" }, atlas.timeLabel);
}

const cell = (n, i, j) => (i < j ? i * n - (i * (i + 1)) / 2 + j - i - 1 : j * n - (j * (j + 1)) / 2 + i - j - 1);
const ramp = [[252, 253, 191], [254, 176, 120], [241, 96, 93], [183, 55, 121], [114, 31, 129], [44, 17, 95], [0, 0, 4]];
function heat(level) {
  const place = Math.min(Math.max(level, 0), 1) * (ramp.length - 1);
  const k = Math.min(Math.floor(place), ramp.length - 2), part = place - k;
  return ramp[k].map((v, c) => Math.round(v + part * (ramp[k + 1][c] - v)));
}

function drawMatrix(component) {
  const canvas = at("matrix"), n = component.nodes.length, side = 0.03;
  const pen = canvas.getContext("2d");
  const size = Math.max(640, n * 4), edge = Math.round(side * size), step = (size - edge) / Math.max(n, 1);
  canvas.width = canvas.height = size;
  pen.clearRect(0, 0, size, size);
  const sorted = component.matrix.filter((v) => v !== null).sort((a, b) => a - b);
  const top = sorted[Math.floor(0.99 * (sorted.length - 1))] || 1;
  for (let i = 0; i < n; i += 1) {
    pen.fillStyle = component.colors[i];
    pen.fillRect(0, edge + i * step, 0.7 * edge, step + 0.6);
    pen.fillRect(edge + i * step, 0, step + 0.6, 0.7 * edge);
    for (let j = 0; j < n; j += 1) {
      const value = i === j ? 0 : component.matrix[cell(n, i, j)];
      pen.fillStyle = value === null ? "#bdbdbd" : "rgb(" + heat(value / top).join(",") + ")";
      pen.fillRect(edge + j * step, edge + i * step, step + 0.6, step + 0.6);
    }
  }
  pen.strokeStyle = "#222222";
  pen.lineWidth = 2;
  for (let a = 0; a < n;) {
    let b = a;
    while (b < n && component.community[b] === component.community[a]) b += 1;
    pen.strokeRect(edge + a * step, edge + a * step, (b - a) * step, (b - a) * step);
    a = b;
  }
  const where = component.nodes.indexOf(sought);
  if (where >= 0) {
    pen.strokeStyle = "#00a0ff";
    pen.strokeRect(edge, edge + where * step, n * step, step);
    pen.strokeRect(edge + where * step, edge, step, n * step);
  }
  canvas.onpointerleave = hush;
  canvas.onpointermove = (event) => {
    const box = canvas.getBoundingClientRect(), scale = size / box.width;
    const j = Math.floor(((event.clientX - box.left) * scale - edge) / step);
    const i = Math.floor(((event.clientY - box.top) * scale - edge) / step);
    if (i < 0 || j < 0 || i >= n || j >= n) { hush(); return; }
    const pair = i === j ? component.nodes[i] : component.nodes[i] + " – " + component.nodes[j];
    const value = i === j ? null : component.matrix[cell(n, i, j)];
    const groups = component.community[i] === component.community[j]
      ? "community " + component.community[i] : "communities " + component.community[i] + " and " + component.community[j];
    tell(event, pair + "\n" + groups + (i === j ? "" : "\nloading " + (value === null ? "not in the tensor" : shown(value))));
  };
}

function drawNetwork(component) {
  const svg = at("network");
  svg.replaceChildren();
  const count = Number(at("count").value), links = component.links, n = component.nodes.length;
  const number = Math.min(count, links.source.length);
  at("shown").textContent = number + " strongest";
  if (!n) { shape(svg, "text", { x: 270, y: 210, "text-anchor": "middle" }, "no node takes part"); return; }
  const x = (k) => 30 + component.place[k][0] * 355, y = (k) => 395 - component.place[k][1] * 370;
  const top = links.loading[0] || 1, most = Math.max(...component.strength) || 1;
  const lines = [], dots = [];
  for (let k = number - 1; k >= 0; k -= 1) {
    const [i, j] = [links.source[k], links.target[k]], level = links.loading[k] / top;
    const line = shape(svg, "line", { x1: x(i), y1: y(i), x2: x(j), y2: y(j), "stroke-width": 0.4 + 2.2 * level, "stroke-opacity": 0.15 + 0.6 * level });
    lines.push([line, i, j]);
  }
  const order = component.strength.map((s, k) => [s, k]).sort((a, b) => b[0] - a[0]).map((p) => p[1]);
  for (const k of order) {
    const dot = shape(svg, "circle", { cx: x(k), cy: y(k), r: 3 + 7 * Math.sqrt(component.strength[k] / most), fill: component.colors[k] });
    if (component.nodes[k] === sought) { dot.style.stroke = "#00a0ff"; dot.style.strokeWidth = 3; }
    dots.push([dot, k]);
    dot.addEventListener("pointermove", (event) => {
      const own = lines.filter(([, i, j]) => i === k || j === k);
      const near = new Set(own.flatMap(([, i, j]) => [i, j]).concat(k));
      tell(event, component.nodes[k] + "\ncommunity " + component.community[k] + "\nstrength " + shown(component.strength[k]) + "\n" + own.length + " links drawn");
      lines.forEach(([line, i, j]) => line.classList.toggle("dim", i !== k && j !== k));
      dots.forEach(([other, m]) => other.classList.toggle("dim", !near.has(m)));
    });
    dot.addEventListener("pointerleave", () => {
      hush();
      lines.forEach(([line]) => line.classList.remove("dim"));
      dots.forEach(([other]) => other.classList.remove("dim"));
    });
    dot.addEventListener("click", () => seek(component.nodes[k]));
  }
  const taken = [];
  for (const k of order.slice(0, 24)) {
    const width = 6.6 * component.nodes[k].length, box = [x(k) + 8, y(k) - 7, x(k) + 8 + width, y(k) + 7];
    if (box[2] > 538 || taken.some((b) => b[0] < box[2] && box[0] < b[2] && b[1] < box[3] && box[1] < b[3])) continue;
    taken.push(box);
    shape(svg, "text", { x: x(k) + 9, y: y(k) + 4 }, component.nodes[k]);
  }
}

function table(id, head, rows, found) {
  const body = at(id);
  body.replaceChildren();
  const title = put(put(body, "thead"), "tr");
  head.forEach((name, c) => { put(title, "th", name, c ? "number" : ""); });
  const list = put(body, "tbody");
  for (const row of rows) {
    const line = put(list, "tr", undefined, row.name === found ? "found" : "");
    const first = put(line, "td");
    if (row.color) put(first, "span", undefined, "dot").style.background = row.color;
    first.appendChild(document.createTextNode(row.name));
    row.cells.forEach((value) => put(line, "td", value, "number"));
    if (row.click) { line.style.cursor = "pointer"; line.addEventListener("click", row.click); }
  }
}

function drawTables(component) {
  const order = component.strength.map((s, k) => [s, k]).sort((a, b) => b[0] - a[0]).map((p) => p[1]);
  table("nodes", ["node", "community", "strength"], order.map((k) => ({
    name: component.nodes[k], color: component.colors[k], cells: [String(component.community[k]), shown(component.strength[k])],
    click: () => seek(component.nodes[k]),
  })), sought);
  at("epochs-title").hidden = !component.overlap;
  if (!component.overlap) { at("epochs").replaceChildren(); return; }
  table("epochs", ["epoch", "overlap", "p", "q"], atlas.epochs.map((epoch, r) => ({
    name: epoch.name,
    cells: [component.overlap, component.overlap_p, component.overlap_q].map((v) => (v ? shown(v[r]) : "–")),
  })), "");
}

function drawAnimals(component) {
  const svg = at("animals");
  svg.replaceChildren();
  if (!component.loading) { svg.style.display = "none"; return; }
  const n = atlas.animals.length, step = n > 30 ? 12 : 22, top = Math.max(...component.loading.map((v) => v || 0)) || 1;
  svg.setAttribute("viewBox", "0 0 480 " + (n * step + 4));
  svg.style.width = "100%";
  atlas.animals.forEach((name, k) => {
    const value = component.loading[k] || 0, on = !component.expressed || component.expressed[k];
    shape(svg, "text", { x: 128, y: k * step + 0.7 * step, "text-anchor": "end", class: "quiet" }, name.length > 20 ? name.slice(0, 19) + "…" : name);
    const bar = shape(svg, "rect", { x: 136, y: k * step + 2, width: Math.max((value / top) * 330, 1), height: step - 5, fill: on ? component.color : "#bdbdbd" });
    hover(bar, name + "\nloading " + shown(value) + (on ? "" : "\nnot expressed"));
  });
}

function select(k) {
  current = (k + atlas.components.length) % atlas.components.length;
  const component = atlas.components[current];
  [...at("list").querySelectorAll("button")].forEach((button, m) => button.setAttribute("aria-current", String(m === current)));
  at("name").textContent = "Component " + component.name;
  const facts = [(100 * component.share).toFixed(0) + " % of the weight", component.nodes.length + " nodes in " + counted(new Set(component.community).size, "community", "communities"),
    counted(component.intervals.length, "interval", "intervals")];
  if (component.p !== null) facts.push((component.above ? "above" : "not above") + " chance, p = " + shown(component.p));
  at("facts").textContent = facts.join(" · ");
  drawCourse(component);
  drawMatrix(component);
  drawNetwork(component);
  drawTables(component);
  drawAnimals(component);
  history.replaceState(null, "", "#component-" + encodeURIComponent(component.name));
}

function seek(name) {
  at("search").value = name;
  look();
}

function look() {
  const word = at("search").value.trim().toLowerCase();
  const known = atlas.components.flatMap((c) => c.nodes);
  sought = known.find((name) => name.toLowerCase() === word) || "";
  const within = atlas.components.filter((c) => sought && c.nodes.includes(sought));
  [...at("list").querySelectorAll("button")].forEach((button, k) => button.classList.toggle("found", within.includes(atlas.components[k])));
  at("answer").textContent = !word ? "" : sought
    ? sought + " takes part in " + within.length + " of " + atlas.components.length + " components: " + within.map((c) => c.name).join(", ")
    : "no node of this name takes part in a component";
  const component = atlas.components[current];
  drawMatrix(component);
  drawNetwork(component);
  drawTables(component);
}

drawList();
const wanted = decodeURIComponent(location.hash.replace("#component-", ""));
select(Math.max(atlas.components.findIndex((c) => c.name === wanted), 0));
at("search").addEventListener("input", look);
at("count").addEventListener("input", () => drawNetwork(atlas.components[current]));
document.addEventListener("keydown", (event) => {
  if (["INPUT", "TEXTAREA"].includes(event.target.tagName)) return;
  if (event.key === "ArrowRight") select(current + 1);
  if (event.key === "ArrowLeft") select(current - 1);
});

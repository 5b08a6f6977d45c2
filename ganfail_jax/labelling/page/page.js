"use strict";

// What the server says of the session, and what the person has said so far.
const LABELS = ["normal", "artifact", "skip"];
const SIZES = [48, 64, 96, 128, 160, 208, 256, 384]; // of a tile's image, in CSS pixels
const MOST = 150; // tiles on a page; all of them fit into one request
const TRIES = 4;
const token = location.hash.slice(1); // only the printed address has it
const at = (id) => document.getElementById(id);
const labels = new Map(); // index -> label
let session, shape;
let done = []; // what undo takes back: lists of [index, previous label]
let focus = 0; // index of the chosen sample
let single = false;
let size = 3; // in SIZES
let tiles = new Map(); // index -> the tile that shows it

// --- saving: changes go out in the order in which they were made, one request at a time

const unsaved = []; // lists of [index, label, previous label]
let saving = false;

async function post(changes) {
  const body = JSON.stringify({ labels: changes.map(([index, label]) => [index, label]) });
  const headers = { "Content-Type": "application/json", "X-Token": token };
  for (let tried = 1; ; tried++) {
    try {
      const reply = await fetch("/labels", { method: "POST", headers, body });
      return reply.ok ? null : await reply.text();
    } catch {
      if (tried === TRIES) return "the server does not answer; has it ended?";
      await new Promise((wake) => setTimeout(wake, 250 * tried)); // the same again does no harm
    }
  }
}

async function save() {
  if (saving) return;
  saving = true;
  while (unsaved.length) {
    const fault = await post(unsaved[0]);
    if (fault) {
      say(`Not saved and taken back: ${fault}`);
      for (const changes of unsaved.splice(0).reverse()) apply(changes.map(([i, , was]) => [i, was]));
      done = [];
    } else {
      unsaved.shift();
    }
  }
  saving = false;
  show();
}

// --- labels

function apply(changes) {
  for (const [index, label] of changes) {
    if (label) labels.set(index, label);
    else labels.delete(index);
  }
}

function record(changes, undoing = false) {
  const all = changes.map(([index, label]) => [index, label, labels.get(index) ?? null]);
  if (!undoing) done.push(all.map(([index, , was]) => [index, was]));
  apply(changes);
  unsaved.push(all);
  save();
}

function label(name) {
  record([[focus, name]]);
  move(1);
}

function undo() {
  const changes = done.pop();
  if (!changes) return say("There is nothing to undo.");
  record(changes, true);
  go(changes[0][0]);
}

function rest() {
  const open = pageOf(focus).filter((index) => !labels.has(index));
  if (single || !open.length) return;
  record(open.map((index) => [index, "normal"]));
  go(open.at(-1));
}

// --- moving

const last = () => session.first + session.number - 1;

function go(index) {
  focus = Math.min(Math.max(index, session.first), last());
  show();
}

const move = (step) => go(focus + step);

function nextOpen() {
  for (let step = 1; step <= session.number; step++) {
    const index = session.first + ((focus - session.first + step) % session.number);
    if (!labels.has(index)) return go(index);
  }
  say("Every image has a label.");
}

// --- the page

function say(text) {
  at("message").textContent = text || "";
  at("message").hidden = !text;
}

const source = (index) => `${session.images}${index}.png`;
const small = () => shape.width <= 64; // drawn pixel by pixel
const classOf = (index) => (session.classes ? `class ${index % session.classes}` : "");

function fit() {
  const area = at(single ? "single" : "grid");
  const [gap, around, caption] = [8, 20, 25];
  const [wide, high] = [area.clientWidth - around, area.clientHeight - around];
  const tall = (SIZES[size] * shape.height) / shape.width + caption;
  const columns = Math.max(1, Math.floor((wide + gap) / (SIZES[size] + 6 + gap)));
  const rows = Math.max(1, Math.floor((high + gap) / (tall + gap)));
  return { columns, rows: Math.max(1, Math.min(rows, Math.floor(MOST / columns))) };
}

function pageOf(index) {
  const { columns, rows } = fit();
  const many = columns * rows;
  const start = index - ((index - session.first) % many);
  return range(start, start + many - 1);
}

function range(from, to) {
  const [low, high] = [Math.max(from, session.first), Math.min(to, last())];
  return Array.from({ length: Math.max(0, high - low + 1) }, (_, i) => low + i);
}

function makeTile(index) {
  const tile = document.createElement("figure");
  const image = document.createElement("img");
  const caption = document.createElement("figcaption");
  image.src = source(index);
  image.alt = `sample ${index}`;
  image.classList.toggle("pixels", small());
  caption.append(document.createElement("span"), document.createElement("span"));
  tile.append(image, caption);
  tile.title = `sample ${index}`;
  tile.addEventListener("click", () => go(index));
  tile.addEventListener("dblclick", () => act("view"));
  return tile;
}

function fill(place, indices) {
  const old = tiles;
  tiles = new Map(indices.map((index) => [index, old.get(index) ?? makeTile(index)]));
  const now = [...tiles.values()];
  if (now.length !== place.children.length || now.some((tile, i) => tile !== place.children[i])) {
    place.replaceChildren(...now);
    prefetch(indices);
  }
  for (const [index, tile] of tiles) {
    const name = labels.get(index);
    tile.className = ["tile", name, index === focus && "focus"].filter(Boolean).join(" ");
    const [left, right] = tile.lastChild.children;
    const narrow = tile.clientWidth < 110;
    left.textContent = classOf(index) || index;
    right.textContent = narrow ? (name ?? "")[0] ?? "" : name ?? (session.classes ? index : "");
  }
}

let fetching = 0;

async function prefetch(indices) {
  // The images after these, one by one, so that labels do not queue behind them.
  const mine = ++fetching;
  await Promise.allSettled([...tiles.values()].map((tile) => tile.firstChild.decode()));
  for (const index of range(indices.at(-1) + 1, indices.at(-1) + indices.length)) {
    if (mine !== fetching) return;
    const image = new Image();
    image.src = source(index);
    await image.decode().catch(() => {});
  }
}

function showGrid() {
  const { columns, rows } = fit();
  const grid = at("grid");
  grid.style.gridTemplateColumns = `repeat(${columns}, ${SIZES[size] + 6}px)`;
  const indices = pageOf(focus);
  fill(grid, indices);
  const many = columns * rows;
  const page = (indices[0] - session.first) / many + 1;
  const pages = Math.ceil(session.number / many);
  at("where").textContent = `samples ${indices[0]} to ${indices.at(-1)}, page ${page} of ${pages}`;
}

function showSingle() {
  const [name, image, stage] = [labels.get(focus), at("large"), at("stage")];
  const [wide, high] = [stage.clientWidth - 10, stage.clientHeight - 10];
  const most = small() ? 8 : 5; // beyond, blocks hide what there is to see
  const scale = Math.min(most, wide / shape.width, high / shape.height);
  const whole = scale > 1 && small() ? Math.floor(scale) : scale;
  image.src = source(focus);
  image.alt = `sample ${focus}`;
  image.className = name ?? "";
  image.classList.toggle("pixels", small());
  image.style.width = `${whole * shape.width}px`;
  at("caption").className = name ?? "";
  const mark = document.createElement("b");
  mark.textContent = name ?? "no label";
  const asked = session.classes ? ` · asked for ${classOf(focus)}` : "";
  at("caption").replaceChildren(`sample ${focus}${asked} · `, mark);
  const beside = Math.max(1, Math.floor(at("single").clientWidth / 78 / 2) - 1);
  fill(at("strip"), range(focus - Math.min(beside, 7), focus + Math.min(beside, 7)));
  at("where").textContent = `image ${focus - session.first + 1} of ${session.number}`;
}

function showProgress() {
  const made = (name) => [...labels.values()].filter((each) => each === name).length;
  const counts = LABELS.map((name) => [name, made(name)]);
  const left = session.number - labels.size;
  const parts = [...counts, ["left", left]].map(([name, n]) => {
    const part = document.createElement("span");
    const bold = document.createElement("b");
    bold.textContent = n;
    part.className = name;
    part.append(bold, ` ${name}`);
    return part;
  });
  at("counts").replaceChildren(...parts);
  const bars = counts.map(([name, n]) => {
    const bar = document.createElement("div");
    bar.className = name;
    bar.style.width = `${(100 * n) / session.number}%`;
    return bar;
  });
  at("progress").replaceChildren(...bars);
  at("saved").textContent = unsaved.length ? "saving…" : left ? "saved" : "all done";
  document.body.dataset.unsaved = unsaved.length;
}

function show() {
  at("grid").hidden = single;
  at("single").hidden = !single;
  for (const button of document.querySelectorAll(".of-grid")) button.hidden = single;
  at("view").textContent = single ? "grid" : "single";
  showProgress();
  if (single) showSingle();
  else showGrid();
}

// --- what a person can do

const pageStep = () => (single ? 10 : pageOf(focus).length);
const actions = {
  normal: () => label("normal"),
  artifact: () => label("artifact"),
  skip: () => label("skip"),
  clear: () => labels.has(focus) && record([[focus, null]]),
  undo,
  rest,
  next: nextOpen,
  left: () => move(-1),
  right: () => move(1),
  up: () => move(single ? -1 : -fit().columns),
  down: () => move(single ? 1 : fit().columns),
  back: () => move(-pageStep()),
  forward: () => move(pageStep()),
  first: () => go(session.first),
  last: () => go(last()),
  view: () => { single = !single; show(); },
  grid: () => { single = false; show(); },
  smaller: () => { size = Math.max(0, size - 1); show(); },
  larger: () => { size = Math.min(SIZES.length - 1, size + 1); show(); },
  help: () => (at("help").open ? at("help").close() : at("help").showModal()),
};
const KEYS = {
  n: "normal", a: "artifact", s: "skip", u: "undo", g: "view", " ": "next", Enter: "view",
  Backspace: "clear", Delete: "clear", Escape: "grid", "?": "help",
  ArrowLeft: "left", ArrowRight: "right", ArrowUp: "up", ArrowDown: "down",
  PageUp: "back", PageDown: "forward", Home: "first", End: "last",
  "+": "larger", "=": "larger", "-": "smaller",
};

function act(name) {
  if (name !== "help") say("");
  actions[name]();
}

function listen() {
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const pressed = [" ", "Enter"].includes(event.key) && event.target instanceof HTMLButtonElement;
    if (pressed || (at("help").open && event.key !== "?")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const name = key === "n" && event.shiftKey ? "rest" : KEYS[key]; // whatever caps lock does
    if (!name) return;
    event.preventDefault();
    act(name);
  });
  for (const button of document.querySelectorAll("[data-do]")) {
    button.addEventListener("click", () => {
      button.blur(); // so that space and enter keep their meaning
      act(button.dataset.do);
    });
  }
  addEventListener("resize", show);
  addEventListener("beforeunload", (event) => unsaved.length && event.preventDefault());
}

async function start() {
  if (!token) say("To label, open the address that was printed, with all that is behind #.");
  session = await (await fetch("/state")).json();
  for (const [index, name] of session.labels) labels.set(index, name);
  done = session.labels.map(([index]) => [[index, null]]); // undo reaches back before a restart
  shape = new Image();
  shape.src = source(session.first);
  await shape.decode();
  at("title").textContent = `${session.generator}, seed ${session.seed} → ${session.file}`;
  document.title = `${session.generator} · label`;
  focus = session.first;
  document.documentElement.style.setProperty("--aspect", shape.width / shape.height);
  listen();
  if (labels.has(focus) && labels.size < session.number) nextOpen();
  else show();
}

start().catch((error) => say(`The page cannot start: ${error.message}`));

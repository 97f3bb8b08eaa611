// The fault page: sliders, buttons, and counters that move.
"use strict";

const $ = (id) => document.getElementById(id);
const LABELS = {
  linked: "Linked", linked_nodes: "Front nodes linked", links: "Links so far", open_calls: "Calls that wait", frames_sent: "Frames sent",
  frames_dropped: "Frames dropped on purpose", resent: "Messages sent again", duplicates: "Duplicates dropped",
  epoch: "Epoch", actions: "Actions run",
  waiting_broadcasts: "Broadcasts without a node", paused: "Paused",
};

let orders = 0; // What the visitor has done so far: counters that were asked for before that are old.
let open = 0; // Orders that are not taken yet.

async function post(path, body) {
  $("problem").textContent = "";
  orders += 1;
  open += 1;
  try {
    const response = await fetch(path, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
    });
    if (!response.ok) $("problem").textContent = (await response.json()).error;
  } catch {
    $("problem").textContent = "The front node cannot be reached.";
  }
  orders += 1;
  open -= 1;
}

const sliders = ["calls", "answers", "broadcasts"];
function showSlider(id, value) {
  $(id).value = value;
  $(`${id}-out`).textContent = `${Math.round(value * 100)} %`;
}
for (const id of sliders) {
  $(id).addEventListener("input", () => {
    orders += 1;
    showSlider(id, $(id).value);
  });
  $(id).addEventListener("change", () =>
    post("/faults/set", Object.fromEntries(sliders.map((name) => [name, Number($(name).value)]))));
}
$("cut").addEventListener("click", () => post("/faults/cut", {}));
$("crash").addEventListener("click", () => post("/faults/crash", {}));
$("pause").addEventListener("click", () => post("/faults/pause", { paused: $("pause").dataset.paused !== "true" }));

function text(value) {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return typeof value === "number" ? value.toLocaleString("en-US") : String(value).slice(0, 8);
}

function show(id, counters) {
  const body = $(id);
  if (!counters) {
    body.replaceChildren();
    const cell = body.insertRow().insertCell();
    cell.className = "quiet";
    cell.textContent = "away";
    return;
  }
  const before = new Map([...body.rows].map((row) => [row.dataset.name, row.cells[1]?.textContent]));
  body.replaceChildren();
  for (const [name, label] of Object.entries(LABELS)) {
    if (!(name in counters)) continue;
    const row = body.insertRow();
    row.dataset.name = name;
    row.insertCell().textContent = label;
    const cell = row.insertCell();
    cell.textContent = text(counters[name]);
    if (before.has(name) && before.get(name) !== cell.textContent) cell.className = "moved";
  }
}

// A bank that was killed begins anew, without faults. What is being dragged is the visitor's.
function showSliders(front, bank) {
  const told = { calls: front.drop_calls, answers: bank?.drop_answers, broadcasts: bank?.drop_broadcasts };
  for (const id of sliders) if (told[id] !== undefined && !$(id).matches(":active")) showSlider(id, told[id]);
}

async function look() {
  const before = orders;
  try {
    const { front, bank } = await (await fetch("/faults/counters")).json();
    if (open === 0 && before === orders) showSliders(front, bank);
    show("front", front);
    show("bank", bank);
    $("link").dataset.state = front.linked ? "up" : "down";
    $("link").querySelector("b").textContent = front.linked ? "bank online" : "bank away";
    if (bank) {
      $("pause").dataset.paused = bank.paused;
      $("pause").textContent = bank.paused ? "Let the business go on" : "Pause the business";
    }
  } catch {
    $("link").dataset.state = "gone";
    $("link").querySelector("b").textContent = "front node away";
  }
  setTimeout(look, 500);
}
look();

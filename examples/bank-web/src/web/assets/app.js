// An account's page: shows what the node tells it, and passes on what a person asks for.
"use strict";

const $ = (id) => document.getElementById(id);
const MARKS = {
  opened: "★", key: "⚷", sent: "↗", seen: "…", confirmed: "+", paid: "−", received: "+",
  refused: "!", cancelled: "×", unknown: "?", tombstone: "†",
};
const SIGNS = { confirmed: "+", received: "+", paid: "−" };
// A guarantee that waits for so long can be cancelled.
const CANCEL_AFTER_MS = 3000;
// An answered one is shown for so long.
const ANSWERED_FOR_MS = 3000;

let session = "";
let clockAhead = 0; // The node's clock, seen from ours.
let waiting = new Map(); // By ticket: what waits, and what was answered a moment ago.
const isAccount = $("balance") !== null;
// What this page shows: another window may sign in as somebody else, and the cookie is then theirs.
const account = document.querySelector("main").dataset.account;

function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

function number(value) {
  return Number(value).toLocaleString("en-US");
}

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body),
  });
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.error || `the node says ${response.status}`);
  return answer;
}

function complain(id, problem) {
  if ($(id)) $(id).textContent = problem ? problem.message || String(problem) : "";
}

// ---- what the node tells -------------------------------------------------------------------------------------------

function showLink(state, text) {
  $("link").dataset.state = state;
  $("link").querySelector("b").textContent = text;
}

function showBank(linked) {
  showLink(linked ? "up" : "down", linked ? "bank online" : "bank away, wishes are kept");
}

function showSummary(summary) {
  if (!summary || !isAccount) return;
  $("balance").textContent = number(summary.balance);
  $("way").hidden = summary.on_their_way === 0;
  $("way").textContent = `${number(summary.on_their_way)} on their way, not confirmed yet`;
  $("key").hidden = !summary.key;
  $("send-coins").hidden = !summary.key;
  if (summary.key) $("key").textContent = summary.key;
}

function entryOf(one) {
  const entry = element("li");
  entry.dataset.kind = one.kind;
  entry.dataset.seq = one.seq;
  entry.dataset.key = one.key;
  entry.append(element("span", "mark", MARKS[one.kind] || "·"));
  const text = element("div", "text");
  text.append(element("b", "", one.text));
  const time = new Date(one.at_ms).toLocaleTimeString("en-GB");
  const isNamed = one.about && !one.text.includes(one.about);
  text.append(element("span", "", [time, isNamed ? one.about : null, one.node].filter(Boolean).join(" · ")));
  entry.append(text);
  const amount = element("div", "amount");
  if (one.amount !== null) amount.textContent = (SIGNS[one.kind] || "") + number(one.amount);
  if (one.balance !== null) amount.append(element("small", "", number(one.balance)));
  entry.append(amount);
  return entry;
}

function showDocuments(documents, isNew) {
  if (!isAccount) return;
  const timeline = $("timeline");
  for (const one of documents) {
    if (one.kind === "tombstone") timeline.querySelectorAll("li:not([data-kind=tombstone])").forEach((entry) => entry.remove());
    const entry = entryOf(one);
    if (isNew) {
      entry.classList.add("new");
      entry.dataset.shownAtMs = Date.now();
    }
    timeline.prepend(entry);
  }
  $("empty").hidden = timeline.children.length > 0;
}

function showWaiting(list) {
  const now = Date.now();
  const there = new Map(list.map((one) => [one.ticket, one]));
  for (const [ticket, one] of waiting) {
    if (there.has(ticket)) continue;
    if (!one.answeredAt) one.answeredAt = now;
    if (now - one.answeredAt < ANSWERED_FOR_MS) there.set(ticket, one);
  }
  waiting = there;
  drawWaiting();
}

function drawWaiting() {
  const now = Date.now();
  for (const [ticket, one] of waiting) {
    if (one.answeredAt && now - one.answeredAt >= ANSWERED_FOR_MS) waiting.delete(ticket);
  }
  const open = [...waiting.values()].filter((one) => !one.answeredAt).length;
  $("notifier").dataset.count = open;
  $("count").textContent = open;
  $("nothing").hidden = waiting.size > 0;
  const list = $("waiting");
  for (const row of [...list.children]) if (!waiting.has(row.dataset.ticket)) row.remove();
  for (const [ticket, one] of waiting) {
    let row = [...list.children].find((known) => known.dataset.ticket === ticket);
    if (!row) list.append((row = rowOf(ticket, one)));
    drawRow(row, one, now);
  }
}

function rowOf(ticket, one) {
  const row = element("li");
  row.dataset.ticket = ticket;
  const what = element("div", "what", one.what);
  what.append(element("small", "", `asked at ${one.node}`));
  const steps = element("div", "steps");
  for (const step of ["accepted", "guaranteed", "answered"]) {
    const mark = element("span", "", step);
    mark.prepend(element("i"));
    mark.dataset.step = step;
    steps.append(mark);
  }
  const cancel = element("button", "plain", "Cancel");
  cancel.addEventListener("click", async () => {
    cancel.disabled = true;
    try {
      const { text } = await post("/cancel", { session, account, ticket });
      what.querySelector("small").textContent = text;
    } catch (problem) {
      what.querySelector("small").textContent = problem.message;
    }
  });
  row.append(what, steps, element("span", "age"), cancel);
  return row;
}

function drawRow(row, one, now) {
  const reached = ["accepted", "guaranteed", "answered"].indexOf(one.answeredAt ? "answered" : one.step);
  row.querySelectorAll(".steps span").forEach((mark, index) => mark.classList.toggle("done", index <= reached));
  row.classList.toggle("answered", Boolean(one.answeredAt));
  row.dataset.step = one.answeredAt ? "answered" : one.step;
  const age = Math.max(0, (one.answeredAt || now) + clockAhead - one.since_ms);
  row.querySelector(".age").textContent = age < 60000 ? `${Math.floor(age / 1000)} s` : `${Math.floor(age / 60000)} min`;
  row.querySelector("button").style.visibility = !one.answeredAt && age >= CANCEL_AFTER_MS ? "visible" : "hidden";
}

// The stream of what happens. A page that is not looked at has none, and is told all when it is: a browser keeps six connections to a
// node at most, and whatever else a seventh page asked for would wait.
let events = null;

function listen() {
  if (document.hidden || events !== null) return;
  const stream = new EventSource("/events");
  events = stream;
  stream.addEventListener("state", (event) => {
    const state = JSON.parse(event.data);
    if (isAccount ? state.account !== account : state.summary) return location.reload();
    session = state.session;
    clockAhead = state.now - Date.now();
    $("node").textContent = state.node;
    showBank(state.linked);
    if (isAccount) $("timeline").replaceChildren();
    showSummary(state.summary);
    showDocuments(state.documents, false);
    showWaiting(state.waiting);
    document.body.dataset.ready = "true";
  });
  stream.addEventListener("news", (event) => {
    const news = JSON.parse(event.data);
    clockAhead = news.now - Date.now();
    showSummary(news.summary);
    showDocuments(news.documents, true);
    showWaiting(news.waiting);
  });
  stream.addEventListener("begin", () => location.reload());
  stream.addEventListener("bank", (event) => showBank(JSON.parse(event.data).linked));
  stream.addEventListener("error", () => {
    document.body.dataset.ready = "false";
    showLink("gone", "front node away: reconnecting");
    // The browser comes back by itself, unless it was told no: then it is signed out, in another window or because nobody knows it any more.
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 1000);
  });
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden && events !== null) {
    events.close();
    events = null;
  }
  listen();
});

// ---- what a person asks for ----------------------------------------------------------------------------------------

function onSubmit(id, problemId, act) {
  const form = $(id);
  if (!form) return;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    complain(problemId, null);
    try {
      await act(new FormData(form), form);
    } catch (problem) {
      complain(problemId, problem);
    }
  });
}

if (isAccount) {
  $("get-key").addEventListener("click", () => {
    complain("problem", null);
    post("/ask", { session, account, wish: "key" }).catch((problem) => complain("problem", problem));
  });
}
onSubmit("send-coins", "problem", (form) =>
  post("/ask", { session, account, wish: "coins", key: $("key").textContent, amount: Number(form.get("amount")) }));
onSubmit("pay", "problem", (form) =>
  post("/ask", { session, account, wish: "pay", to: form.get("to"), amount: Number(form.get("amount")) }));
onSubmit("purge", "purge-problem", async (fields, form) => {
  await post("/purge", { account, password: fields.get("password") });
  form.reset();
  $("purge-box").open = false;
});
$("sign-out").addEventListener("click", async () => {
  await post("/sign-out", {});
  location.reload();
});

setInterval(drawWaiting, 250);
listen();

// What a page does more with a script than without: a step replaces the content in place, and what moved is seen moving.
// All addresses, forms and pages are the same as without it.
const still = matchMedia("(prefers-reduced-motion: reduce)");
const here = () => location.pathname + location.search;
let asking, shown = here();

const keyed = () => new Map([...document.querySelectorAll("[data-key]")].map((one) => [one.dataset.key, one]));

// Where everything was, so that it can move from there.
const places = () => new Map([...keyed()].map(([key, one]) => [key, one.getBoundingClientRect()]));

function move(before) {
  if (still.matches) return;
  for (const [key, one] of keyed()) {
    const from = before.get(key), to = one.getBoundingClientRect();
    const seen = to.top < innerHeight && to.bottom > 0;
    if (!from && seen) one.animate([{ opacity: 0, scale: 0.96 }, {}], { duration: 260, easing: "ease-out" });
    if (!from || (!seen && (from.top > innerHeight || from.bottom < 0))) continue;
    const [x, y] = [from.left - to.left, from.top - to.top];
    if (x || y) one.animate([{ translate: `${x}px ${y}px` }, {}], { duration: 380, easing: "cubic-bezier(.2, .8, .2, 1)" });
  }
}

// Where the focus was, by name: the same control may be another element in the next page.
const focused = () => document.activeElement?.dataset.focus;

function focusOn(name, row) {
  const found = [...document.querySelectorAll("[data-focus]")];
  const next = found.find((one) => one.dataset.focus === name) ?? (row && document.querySelector("#ranking"));
  if (next && !next.matches("a, button, input")) next.tabIndex = -1;
  next?.focus({ preventScroll: true });
}

// Steps that no page has answered yet. A quick hand presses several hearts before the first answer: each request asks for
// all of them from the state that the shown page holds, so none is lost when a later request takes the place of an earlier.
let steps = [], pressed = 0, swapped = 0;
const CALM = 350; // milliseconds after a press in which nothing moves: the next press meets what the eye saw

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// The chosen tab of a row that is longer than the screen is in sight.
function showChosen() {
  for (const one of document.querySelectorAll(".tabs [aria-current]")) {
    const row = one.parentElement;
    row.scrollLeft += one.getBoundingClientRect().left - row.getBoundingClientRect().left - (row.clientWidth - one.offsetWidth) / 2;
  }
}

async function load(address) {
  asking?.abort();
  const mine = asking = new AbortController();
  document.documentElement.ariaBusy = "true";
  try {
    const answer = await fetch(address, { signal: mine.signal, headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    while (steps.length && performance.now() < pressed + CALM) await pause(pressed + CALM - performance.now());
    return mine === asking ? page : null;
  } finally {
    if (mine === asking) document.documentElement.ariaBusy = null;
  }
}

// The page stays where no answer comes, and says so; what was pressed is asked for again, by the button or the next press.
let again = () => {};

function lost() {
  document.querySelector("#lost").hidden = false;
}

async function go(address, push) {
  let page;
  again = () => go(address, push);
  try {
    page = await load(address);
  } catch (fault) {
    if (fault.name !== "AbortError") lost();
    return;
  }
  if (!page) return;
  const main = page.querySelector("main"), header = page.querySelector("header.top");
  if (!main || !header) return lost();
  document.querySelector("#lost").hidden = true;
  steps = [];
  swapped = performance.now();
  const before = places(), name = focused(), typing = document.activeElement?.matches("[data-live]");
  document.querySelector("main").replaceWith(main);
  document.title = page.title;
  const now = document.querySelector("header.top");
  now.querySelector("nav").replaceWith(header.querySelector("nav"));
  now.querySelector(".mark").replaceWith(header.querySelector(".mark"));
  if (!typing) now.querySelector("form").replaceWith(header.querySelector("form"));
  else for (const one of [now, header]) one.querySelectorAll("form > [type=hidden]").forEach((field) => {
    if (one === now) field.remove(); else now.querySelector("form").append(field);
  });
  if (push) history.pushState({}, "", main.dataset.address ?? address);
  shown = here();
  if (!typing) focusOn(name, true);
  document.querySelector("#said").textContent = main.dataset.said ?? "";
  showChosen();
  move(before);
  parts();
}

// The address that a form asks for, with all steps that wait for an answer.
function addressOf(form, button) {
  const query = new URLSearchParams(new FormData(form, button)), word = query.get("word")?.trim();
  let act = query.get("act");
  if (act && !act.includes(":")) act = word ? `${act}:${word}` : "";
  if (act) steps.push(act);
  for (const [name, value] of [...query]) if (!value) query.delete(name, value);
  if (act !== null) query.delete("word");
  query.delete("act");
  for (const step of steps) query.append("act", step);
  return `${form.getAttribute("action")}?${query}`;
}

// A heart shows at once that it was pressed; pressed again, it takes that back.
function press(button) {
  const [, act, id] = button.value.match(/^([^:]*):?(.*)$/), next = { like: "unlike", unlike: "like" }[act];
  if (!next || !button.ariaPressed) return;
  for (const one of document.querySelectorAll("button[aria-pressed]")) if (one.value === `${act}:${id}`) {
    one.value = `${next}:${id}`;
    one.ariaPressed = `${act === "like"}`;
  }
}

// A link to a page of the same visit takes along what waits for an answer; one that starts anew does not.
function withSteps(link) {
  if (link.getAttribute("href").startsWith("#")) return;
  const address = new URL(link.href), had = [...document.querySelectorAll("header .search > [type=hidden]")];
  const same = had.every((one) => address.searchParams.getAll(one.name).includes(one.value));
  if (!steps.length || address.origin !== location.origin || !same) return;
  if (address.searchParams.has("user") && !had.some((one) => one.name === "user")) return;
  for (const step of steps) address.searchParams.append("act", step);
  link.href = address;
}

document.querySelector("#lost button").addEventListener("click", () => again());

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-swap]")) return;
  event.preventDefault();
  pressed = performance.now();
  const address = addressOf(event.target, event.submitter);
  if (event.submitter) press(event.submitter);
  go(address, true);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link) return;
  // A hand that was about to press a heart did not mean the item that has just come under it.
  if (link.matches(".cover") && event.detail && performance.now() < swapped + CALM) return event.preventDefault();
  withSteps(link);
  if (!link.matches("[data-swap]") || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  event.preventDefault();
  go(link.href, true);
});

// A search follows the typing.
let waiting;
document.addEventListener("input", (event) => {
  if (!event.target.matches("[data-live]") || !document.querySelector("main.start, main.visit")) return;
  clearTimeout(waiting);
  waiting = setTimeout(() => go(addressOf(event.target.form), true), 250);
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  document.querySelector("input[type=search]").select();
});

// A link to a place in the page, as the one that skips to the content, is a step of the history too: nothing is asked then.
addEventListener("popstate", () => {
  if (here() === shown) return;
  steps = [];
  go(location.href, false);
});

// What takes longer comes behind the page.
async function parts() {
  for (const link of document.querySelectorAll("a[data-part]")) {
    const id = link.dataset.part, answer = await fetch(link.href).catch(() => null);
    if (!answer?.ok) continue;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html"), part = page.getElementById(id);
    if (part && link.isConnected) document.getElementById(id).replaceWith(part);
  }
}

const kept = document.querySelector("main")?.dataset.address;
if (kept && new URLSearchParams(location.search).has("act")) history.replaceState({}, "", kept);
shown = here();
showChosen();
parts();

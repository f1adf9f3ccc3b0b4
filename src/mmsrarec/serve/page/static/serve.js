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

async function load(address) {
  asking?.abort();
  asking = new AbortController();
  document.documentElement.ariaBusy = "true";
  try {
    const answer = await fetch(address, { signal: asking.signal, headers: { Accept: "text/html" } });
    return new DOMParser().parseFromString(await answer.text(), "text/html");
  } finally {
    document.documentElement.ariaBusy = null;
  }
}

async function go(address, push) {
  let page;
  try {
    page = await load(address);
  } catch (fault) {
    if (fault.name !== "AbortError") location.assign(address);
    return;
  }
  const main = page.querySelector("main"), header = page.querySelector("header.top");
  if (!main) return location.assign(address);
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
  move(before);
  parts();
}

function addressOf(form, button) {
  const query = new URLSearchParams(new FormData(form, button));
  for (const [name, value] of [...query]) if (!value) query.delete(name, value);
  return `${form.getAttribute("action")}?${query}`;
}

document.addEventListener("submit", (event) => {
  if (!event.target.matches("form[data-swap]")) return;
  event.preventDefault();
  go(addressOf(event.target, event.submitter), true);
});

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-swap]");
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
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
addEventListener("popstate", () => here() === shown || go(location.href, false));

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
parts();

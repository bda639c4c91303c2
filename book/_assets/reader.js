/* Four things that a page cannot do with HTML and CSS alone. Plain JavaScript, no library.

   1. A figure is as wide as the column, which on a telephone is too small to read. A tap, or Enter,
      opens it large; Escape, a tap or the button closes it again.
   2. Paper is white: a page in dark mode is printed as a light one.
   3. A word of the glossary is explained where it stands, under the pointer, on focus or on a tap.
   4. A reader may mark a page as read. The marks stay in this browser; nothing is sent anywhere. */

"use strict";

/* ---------- figures ---------- */

function makeViewer() {
  const viewer = document.createElement("dialog");
  viewer.className = "viewer";
  viewer.innerHTML =
    '<button type="button" class="viewer-close" aria-label="Close the figure">×</button>' +
    '<div class="viewer-stage" tabindex="0" role="region" aria-label="Figure, enlarged"></div>';
  document.body.append(viewer);
  return viewer;
}

/* The picture itself moves into the viewer and back again: a copy would repeat its ids. */
function makeFiguresOpen(viewer) {
  const stage = viewer.querySelector(".viewer-stage");
  let frame = null; // of the picture that is open

  function open(place) {
    frame = place;
    const picture = frame.firstElementChild;
    const { width, height } = picture.getBoundingClientRect();
    frame.style.minHeight = `${frame.offsetHeight}px`; // the text below stays where it is
    // Large: as wide as the window at least, and never smaller than it was drawn.
    const drawn = Number(picture.getAttribute("width")) || width;
    const fits = Math.min(innerWidth, (innerHeight * width) / height);
    picture.style.width = `${Math.round(Math.max(drawn, fits))}px`;
    stage.append(picture);
    viewer.showModal();
    stage.scrollTo(0, 0);
  }

  function putBack() {
    const picture = stage.firstElementChild;
    if (!picture) return;
    picture.style.width = "";
    frame.prepend(picture);
    frame.style.minHeight = "";
    frame.querySelector("button").focus({ preventScroll: true });
  }

  // Whoever has marked words of a diagram wants to copy them.
  const unlessMarked = (act) => () => String(getSelection()) || act();

  viewer.addEventListener("close", putBack); // by Escape, too
  viewer.addEventListener("click", unlessMarked(() => viewer.close()));

  for (const picture of document.querySelectorAll(".bd-article img, .bd-article svg.diagram")) {
    if (picture.closest("a, .sd-card")) continue;
    const place = document.createElement("span");
    place.className = "opens-large";
    place.innerHTML = '<button type="button" aria-haspopup="dialog">⤢ enlarge</button>';
    picture.replaceWith(place);
    place.prepend(picture);
    picture.addEventListener("click", unlessMarked(() => stage.contains(picture) || open(place)));
    place.lastElementChild.addEventListener("click", () => open(place));
  }
}

/* ---------- paper ---------- */

function printOnWhite() {
  const root = document.documentElement.dataset;
  let theme = null;
  addEventListener("beforeprint", () => {
    theme = root.theme;
    root.theme = "light";
  });
  addEventListener("afterprint", () => {
    if (theme) root.theme = theme;
  });
}

/* ---------- words of the glossary ---------- */

const WAIT = 250; // milliseconds under the pointer before a card opens, and after it before it closes

function explainWords() {
  const words = document.querySelectorAll("a.glossary-term");
  if (!words.length) return;
  const card = document.createElement("div");
  card.id = "glossary-card";
  card.setAttribute("role", "tooltip");
  card.hidden = true;
  document.querySelector(".bd-article").append(card);

  let glossary = null; // the page, asked for with the first word
  let shown = null; // the word that the card explains
  let timer = 0;
  let finger = false; // the last touch of the page was one by hand

  async function definition(word) {
    glossary ??= fetch(word.href).then((answer) => {
      if (!answer.ok) throw new Error(answer.statusText);
      return answer.text();
    });
    const page = new DOMParser().parseFromString(await glossary, "text/html");
    let place = page.getElementById(decodeURIComponent(word.hash.slice(1)));
    while (place && place.tagName !== "DD") place = place.nextElementSibling;
    for (const link of place.querySelectorAll("a")) link.replaceWith(link.textContent);
    return place.innerHTML;
  }

  function stand() {
    const line = shown.getClientRects()[0];
    const origin = card.offsetParent.getBoundingClientRect(); // what left and top count from
    const room = document.documentElement.clientWidth - card.offsetWidth - 8;
    const below = line.bottom + 6;
    const over = line.top - card.offsetHeight - 6;
    const top = below + card.offsetHeight > innerHeight && over > 0 ? over : below;
    card.style.left = `${Math.max(8, Math.min(line.left, room)) - origin.left}px`;
    card.style.top = `${top - origin.top}px`;
  }

  async function show(word) {
    clearTimeout(timer);
    if (shown === word) return;
    hide();
    shown = word;
    let text = "";
    try {
      text = await definition(word);
    } catch {
      glossary = null; // without a server there is no card; the link leads to the glossary
      shown = null;
      return;
    }
    if (shown !== word) return; // another one meanwhile
    card.innerHTML = text;
    card.hidden = false;
    word.setAttribute("aria-describedby", card.id);
    stand();
    await window.MathJax?.typesetPromise?.([card]);
    if (shown === word) stand();
  }

  function hide() {
    clearTimeout(timer);
    shown?.removeAttribute("aria-describedby");
    shown = null;
    card.hidden = true;
  }

  const later = (act, ...what) => {
    clearTimeout(timer);
    timer = setTimeout(act, WAIT, ...what);
  };

  for (const word of words) {
    word.removeAttribute("title"); // or there would be two
    word.addEventListener("pointerenter", (e) => e.pointerType === "touch" || later(show, word));
    word.addEventListener("pointerleave", (e) => e.pointerType === "touch" || later(hide));
    word.addEventListener("focus", () => finger || show(word));
    word.addEventListener("blur", () => finger || hide());
    word.addEventListener("click", (e) => {
      if (!finger || shown === word) return; // a second tap follows the link
      e.preventDefault();
      show(word);
    });
  }
  card.addEventListener("pointerenter", () => clearTimeout(timer));
  card.addEventListener("pointerleave", (e) => e.pointerType === "touch" || later(hide));
  addEventListener("keydown", (e) => {
    finger = false;
    if (e.key === "Escape") hide();
  });
  addEventListener("pointerdown", (e) => {
    finger = e.pointerType === "touch";
    if (shown && !card.contains(e.target) && !shown.contains(e.target)) hide();
  }, true); // before the focus moves
}

/* ---------- pages that were read ---------- */

const MARKS = "networks-that-remember: read";

function keepTrack() {
  const footer = document.querySelector(".prev-next-footer");
  const root = new URL(document.documentElement.dataset.content_root, location.href).href;
  const name = (address) => address.split("#")[0].slice(root.length);
  const here = name(location.href);
  const links = [...document.querySelectorAll(".bd-links a.reference.internal")].filter((link) =>
    /^(notebooks|book\/(chapter|program))/.test(name(link.href)));
  const names = links.map((link) => name(link.href));
  if (!footer || !names.includes(here)) return;

  let read;
  try {
    read = new Set(JSON.parse(localStorage.getItem(MARKS) ?? "[]"));
    localStorage.setItem(MARKS, JSON.stringify([...read]));
  } catch {
    return; // storage is switched off, or holds something else: the page stays as it is
  }

  const box = document.createElement("div");
  box.className = "read-mark d-print-none";
  box.innerHTML =
    '<button type="button">Mark as read</button>' +
    '<span role="status"></span>' +
    '<button type="button">Clear all marks</button>';
  const [mark, count, clear] = box.children;

  function draw() {
    mark.setAttribute("aria-pressed", read.has(here));
    const known = names.filter((page) => read.has(page)).length;
    count.textContent = known ? `${known} of ${names.length} pages read` : "";
    clear.hidden = !read.size;
    links.forEach((link, i) => {
      const tick = link.querySelector(".visually-hidden");
      if (read.has(names[i]) && !tick) {
        link.insertAdjacentHTML("beforeend", '<span class="visually-hidden"> (read)</span>');
      } else if (!read.has(names[i])) tick?.remove();
      link.classList.toggle("is-read", read.has(names[i]));
    });
  }

  function keep(change) {
    change();
    try {
      localStorage.setItem(MARKS, JSON.stringify([...read]));
    } catch {
      count.textContent = "This browser keeps no more marks.";
      return;
    }
    draw();
  }

  mark.addEventListener("click", () =>
    keep(() => (read.has(here) ? read.delete(here) : read.add(here))));
  clear.addEventListener("click", () => keep(() => read.clear()));
  footer.before(box);
  draw();
}

makeFiguresOpen(makeViewer());
printOnWhite();
explainWords();
keepTrack();

/* Two things that a page cannot do with HTML and CSS alone. Plain JavaScript, no library.

   1. A figure is as wide as the column, which on a telephone is too small to read. A tap, or Enter,
      opens it large; Escape, a tap or the button closes it again.
   2. Paper is white: a page in dark mode is printed as a light one. */

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

makeFiguresOpen(makeViewer());
printOnWhite();

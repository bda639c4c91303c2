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
  let opener = null;

  function open(button) {
    const picture = button.firstElementChild;
    const { width, height } = picture.getBoundingClientRect();
    button.style.minHeight = `${height}px`; // the text below stays where it is
    opener = button;
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
    opener.prepend(picture);
    opener.style.minHeight = "";
    opener.focus({ preventScroll: true });
  }

  viewer.addEventListener("close", putBack); // by Escape, too
  viewer.addEventListener("click", () => viewer.close());

  for (const picture of document.querySelectorAll(".bd-article img, .bd-article svg.diagram")) {
    if (picture.closest("a, button, .sd-card")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "opens-large";
    button.title = "Enlarge the figure";
    button.setAttribute("aria-haspopup", "dialog");
    picture.replaceWith(button);
    button.append(picture); // its text alternative is the name of the button
    button.addEventListener("click", () => open(button));
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

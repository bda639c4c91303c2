// A deck: one slide at a time, scaled to the window. Keys: → ← Home End, n for notes, d for dark.
const root = document.documentElement;
const stage = document.getElementById("stage");
const notes = document.getElementById("notes");
const slides = [...document.querySelectorAll(".slide")];
let at = 0;

// Text is as large as has room, between 16 and 34 pixels, and a wide formula gets smaller.
function fit(slide) {
  const body = slide.querySelector(".body");
  if (!body) return;
  const narrow = () => {
    for (const formula of body.querySelectorAll("mjx-container")) {
      formula.style.fontSize = "";
      const room = formula.closest("li, td, .options div, .body").clientWidth;
      const wide = formula.querySelector("svg").getBoundingClientRect().width / scale();
      if (wide > room) formula.style.fontSize = (98 * room) / wide + "%";
    }
  };
  const over = () => body.scrollHeight > body.clientHeight + 1 || body.scrollWidth > body.clientWidth + 1;
  const pictured = body.classList.contains("mixed");
  for (let size = pictured ? 25 : 34; size >= 16; size -= size > 26 ? 2 : 1) {
    body.style.fontSize = size + "px";
    narrow();
    if (!over()) return;
  }
}
const scale = () => Number(stage.dataset.scale || 1);

function place() {
  const high = innerHeight - (notes.hidden ? 0 : notes.offsetHeight);
  const by = Math.min(innerWidth / 1280, high / 720);
  stage.dataset.scale = by;
  stage.style.transform =
    `translate(${(innerWidth - 1280 * by) / 2}px, ${Math.max(0, (high - 720 * by) / 2)}px) scale(${by})`;
}

function show(n, record = true) {
  at = Math.max(0, Math.min(slides.length - 1, n));
  slides.forEach((slide, k) => slide.classList.toggle("on", k === at));
  const said = slides[at].querySelector(".notes");
  notes.replaceChildren(...(said ? said.cloneNode(true).childNodes : []));
  notes.scrollTop = 0;
  if (record) history.replaceState(null, "", "#" + (at + 1));
}

const keys = {
  ArrowRight: () => show(at + 1), ArrowDown: () => show(at + 1), PageDown: () => show(at + 1),
  " ": () => show(at + 1), ArrowLeft: () => show(at - 1), ArrowUp: () => show(at - 1),
  PageUp: () => show(at - 1), Home: () => show(0), End: () => show(slides.length - 1),
  n: () => { notes.hidden = !notes.hidden; place(); },
  d: () => { root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark"; },
};
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
  if (event.target === notes && event.key.length > 1) return; // the arrows scroll the notes
  event.preventDefault();
  keys[event.key]();
});
stage.addEventListener("click", (event) => {
  if (String(getSelection())) return; // somebody marks a word
  show(at + (event.clientX < innerWidth / 3 ? -1 : 1));
});
addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1 || 0));
addEventListener("resize", place);

root.dataset.theme = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
root.classList.add("shown");
place();
show(Number(location.hash.slice(1)) - 1 || 0, false);
const drawn = window.MathJax?.startup?.promise ?? Promise.resolve();
drawn.then(() => document.fonts.ready).then(() => {
  slides.forEach(fit);
  show(at, false); // notes with their formulas
  root.dataset.ready = "true";
});

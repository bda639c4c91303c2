/* "Run this page": the code cells of a notebook's page become editable and run in the reader's own
   browser. This file comes after the click on the button, which lies in the page. Plain JavaScript,
   no library; Python runs in a worker (worker.mjs). */

const here = new URL("./", import.meta.url).href;
const LONG = 8; // seconds from which on a cell says how long it takes
const MANY = 20; // and from which on it says so before it starts, once more

const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const button = (text, act, label) => {
  const made = make("button", { type: "button", className: "live-button", textContent: text });
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
};

export function begin(bar) {
  const status = bar.querySelector(".live-status");
  const starter = bar.querySelector("button");
  const say = (text) => (status.textContent = text);
  let manifest, page, worker, current, ready, slow;
  let queue = [];
  const cells = []; // in the page's order; those of exercises are apart

  /* ---------- cells ---------- */

  const textOf = (cell) => cell.pre.textContent.replace(/\n$/, "");

  function equip(box, pre, about, name) {
    const cell = { box, pre, about, name, html: pre.innerHTML, fresh: false };
    cell.original = textOf(cell);
    cell.mark = make("span", { className: "live-status" });
    cell.mark.setAttribute("role", "status");
    cell.run = button("Run", () => start([cell]), `Run ${name}`);
    cell.reset = button("Reset cell", () => reset(cell), `Reset ${name}`);
    cell.reset.hidden = true;
    cell.tools = make("div", { className: "live-tools" }, cell.run);
    pre.classList.add("live-code");
    pre.setAttribute("contenteditable", "plaintext-only");
    const editable = pre.contentEditable === "plaintext-only";
    if (!editable) pre.removeAttribute("contenteditable");
    if (editable) {
      pre.spellcheck = false;
      pre.setAttribute("role", "textbox");
      pre.setAttribute("aria-multiline", "true");
      pre.setAttribute("aria-label", `Code of ${name}`);
      pre.setAttribute("autocapitalize", "off");
      pre.setAttribute("autocorrect", "off");
      pre.tabIndex = 0;
    }
    pre.addEventListener("input", () => {
      cell.fresh = false;
      cell.reset.hidden = textOf(cell) === cell.original;
    });
    pre.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.shiftKey) return;
      event.preventDefault();
      start([cell]);
    });
    return cell;
  }

  function reset(cell) {
    cell.pre.innerHTML = cell.html;
    restoreOutput(cell);
    cell.reset.hidden = true;
    cell.fresh = false;
    cell.mark.textContent = "as it was";
    cell.pre.focus({ preventScroll: true });
  }

  function equipPage() {
    const boxes = [...document.querySelectorAll(".bd-article div.cell")].filter((box) =>
      box.querySelector(".cell_input pre"),
    );
    boxes.forEach((box, n) => {
      const about = page.cells[n] ?? {};
      const pre = box.querySelector(".cell_input pre");
      const input = box.querySelector(".cell_input");
      if (about.torch) {
        const text = `Cell ${n + 1} needs an installed PyTorch: it runs on your own computer only.`;
        input.append(make("p", { className: "live-tools live-note", textContent: text }));
        return;
      }
      const cell = equip(box, pre, about, `cell ${n + 1}`);
      cells.push(cell);
      const upTo = button("Run to here", () => runTo(cell), `Run all cells up to cell ${n + 1}`);
      cell.tools.append(upTo, cell.reset);
      if (about.seconds >= LONG)
        cell.tools.append(make("span", { className: "live-note", textContent: `takes ${lasts(about)}` }));
      cell.tools.append(cell.mark);
      input.append(cell.tools);
    });
    for (const exercise of page.exercises) equipExercise(exercise);
  }

  const lasts = ({ seconds }) =>
    seconds < 90 ? `about ${Math.round(seconds)} seconds` : `about ${Math.round(seconds / 60)} minutes`;

  function runTo(cell) {
    const until = cells.indexOf(cell) + 1;
    start(cells.slice(0, until).filter((other) => other === cell || !other.fresh));
  }

  /* An empty cell under an exercise, and the asserts of its solution behind a button. */
  function equipExercise({ id, title, code, checks }) {
    const place = document.getElementById(id);
    if (!place) return;
    const pre = make("pre", { textContent: code });
    const input = make("div", { className: "cell_input" }, make("div", { className: "highlight" }, pre));
    const box = make("div", { className: "live-answer" }, input);
    const cell = equip(box, pre, {}, `your answer to “${title}”`);
    cell.exercise = true;
    cell.checks = checks;
    cell.verdict = make("div", { className: "live-verdict" });
    cell.verdict.setAttribute("role", "status");
    cell.check = button("Check my answer", () => startCheck(cell), `Check my answer to “${title}”`);
    cell.tools.append(cell.check, cell.reset, cell.mark, cell.verdict);
    input.append(cell.tools);
    place.after(box);
    cells.answers = [...(cells.answers ?? []), cell];
  }

  const everyCell = () => [...cells, ...(cells.answers ?? [])];
  const edited = () => everyCell().filter((cell) => textOf(cell) !== cell.original);

  /* ---------- running ---------- */

  function start(wanted) {
    if (!ready) return say("Python is still starting.");
    queue.push(...wanted.filter((cell) => cell !== current && !queue.includes(cell)));
    const seconds = queue.reduce((sum, cell) => sum + (cell.about.seconds ?? 0), 0);
    if (queue.length > 1 && seconds >= MANY) say(`${queue.length} cells, ${lasts({ seconds })}.`);
    for (const cell of queue) cell.mark.textContent = "waits";
    next();
  }

  function startCheck(cell) {
    if (!ready) return say("Python is still starting.");
    if (current) return (cell.mark.textContent = "Another cell is running: wait, or press Stop.");
    current = cell;
    show([], cell);
    busy(cell, "checking…");
    worker.postMessage({ kind: "check", source: textOf(cell), solutions: cell.checks });
  }

  function next() {
    if (current || !(current = queue.shift())) return;
    const cell = current;
    Object.assign(cell, { text: { stdout: "", stderr: "" }, images: 0, begun: false });
    const seconds = cell.about.seconds ?? 0;
    busy(cell, seconds >= LONG ? `running, ${lasts({ seconds })}…` : "running…");
    worker.postMessage({ kind: "run", source: textOf(cell), name: cell.name });
  }

  function busy(cell, text) {
    cell.mark.textContent = text;
    cell.run.disabled = true;
    if (cell.check) cell.check.disabled = true;
    cell.box.setAttribute("aria-busy", "true");
    stopper.disabled = false;
  }

  function finish(text) {
    const cell = current;
    current = null;
    cell.mark.textContent = text;
    cell.run.disabled = false;
    if (cell.check) cell.check.disabled = false;
    cell.box.removeAttribute("aria-busy");
    stopper.disabled = true;
  }

  /* ---------- output: takes the place of the old one; captions stay ---------- */

  function output(cell) {
    let out = cell.box.querySelector(":scope > .cell_output");
    if (!out) cell.box.append((out = make("div", { className: "cell_output docutils container" })));
    if (!cell.begun) {
      cell.begun = true;
      cell.saved ??= [...out.childNodes];
      cell.pictures ??= [...out.querySelectorAll(PICTURE)].filter((p) => p.closest("figure"));
      cell.drawn ??= [...cell.pictures]; // what stands in their places now
      const old = "div.output, .live-text, .live-picture, .live-html";
      // The output of a cell stands in .output; a picture within its figure waits for its successor.
      for (const piece of out.querySelectorAll(old))
        if (!piece.querySelector("figcaption") && !piece.closest("figure")) piece.remove();
    }
    return out;
  }

  function showText({ stream, text }) {
    if (!current) return;
    const out = output(current);
    let pre = out.querySelector(`pre.live-text.${stream}`);
    if (!pre) {
      pre = make("pre", { className: `live-text ${stream}`, tabIndex: 0 });
      pre.setAttribute("role", "region");
      pre.setAttribute("aria-label", `${stream === "stderr" ? "Messages" : "Output"} of ${current.name}`);
      const other = out.querySelector("pre.live-text");
      if (stream === "stderr" && other) other.after(pre);
      else out.prepend(pre);
    }
    current.text[stream] += text;
    pre.textContent = current.text[stream].replace(/[^\n]*\r(?!\n)/g, ""); // progress on one line
  }

  const PICTURE = "img, svg.diagram";

  function showImage({ mime, data }) {
    if (!current) return;
    const out = output(current);
    const image = make("img", { className: "live-picture", src: `data:${mime};base64,${data}` });
    const n = current.images++;
    const place = current.drawn[n];
    if (place) {
      image.alt = place.getAttribute("alt") ?? place.getAttribute("aria-label") ?? "";
      image.classList.add(...[...place.classList].filter((name) => /colours/.test(name)));
      if (place.closest(".keep-colours")) image.classList.add("keep-colours");
      place.replaceWith(image);
      current.drawn[n] = image;
    } else {
      image.alt = `Picture drawn by ${current.name}`;
      out.append(image);
    }
  }

  /* A picture that the cell no longer draws is faded: it is of the code as it was. */
  function fade(cell) {
    cell.drawn?.forEach((picture, n) => picture.classList.toggle("live-stale", n >= cell.images));
  }

  function restoreOutput(cell) {
    const out = cell.box.querySelector(":scope > .cell_output");
    if (!out || !cell.saved) return;
    cell.pictures.forEach((picture, n) => {
      if (cell.drawn[n] !== picture) cell.drawn[n].replaceWith(picture);
      cell.drawn[n] = picture;
      picture.classList.remove("live-stale");
    });
    out.replaceChildren(...cell.saved);
    if (!cell.saved.length) out.remove();
  }

  function showHtml({ data }) {
    if (!current) return;
    const out = output(current);
    for (const old of out.querySelectorAll(".text_html")) old.remove();
    out.append(make("div", { className: "live-html output text_html", innerHTML: data }));
  }

  function show(lines, cell) {
    cell.verdict.replaceChildren(...lines.map((line) => sentence(line)));
  }

  /* `code` in a sentence, as the book sets it. */
  function sentence(line) {
    const parts = line.split("`");
    const children = parts.map((part, n) => (n % 2 ? make("code", { textContent: part }) : part));
    return make("p", {}, ...children);
  }

  /* ---------- what the worker says ---------- */

  const on = {
    status: ({ text }) => say(text),
    text: showText,
    image: showImage,
    html: showHtml,
    failed({ text }) {
      ready = false;
      queue = [];
      if (current) finish("stopped");
      say(`Python did not start: ${text}. The page reads as before.`);
      stopper.hidden = whole.hidden = true;
      starter.hidden = false;
      starter.disabled = false;
      worker?.terminate();
      worker = null;
    },
    ready({ version, slow: isSlow, stored }) {
      ready = true;
      slow = isSlow;
      const ways = cells[0]?.pre.isContentEditable
        ? "Edit any cell; Shift+Enter runs it."
        : "This browser is too old to edit cells, but they run.";
      const notes = [`Python ${version} is ready. ${ways}`];
      if (slow) notes.push("Matrix products are slow here.");
      if (!stored) notes.push("Nothing can be stored, so the next visit loads everything again.");
      say(notes.join(" "));
      next();
    },
    done({ ok, seconds }) {
      const cell = current;
      if (!cell) return;
      if (!cell.begun && ok) output(cell); // it printed nothing this time
      if (ok) fade(cell);
      cell.fresh = ok;
      const took = seconds < 0.1 ? "" : `${seconds.toFixed(1)} s`;
      if (!ok)
        for (const other of queue.splice(0)) other.mark.textContent = "not run: an error came before";
      finish(ok ? `done${took && `, ${took}`}` : `error${took && `, ${took}`}`);
      next();
    },
    checked({ right, lines }) {
      const cell = current;
      finish(right === true ? "right" : right === false ? "not yet" : "");
      show(lines, cell);
      next();
    },
  };

  /* ---------- start, stop, reset ---------- */

  function work() {
    ready = false;
    try {
      worker = new Worker(here + "worker.mjs", { type: "module" });
    } catch (error) {
      return on.failed({ text: `the browser does not allow a worker (${error.message})` });
    }
    worker.onmessage = ({ data }) => on[data.kind](data);
    worker.onerror = (event) => on.failed({ text: event.message || "the worker did not load" });
    worker.postMessage({ kind: "start", manifest, page });
  }

  function restart() {
    worker?.terminate();
    for (const cell of queue.splice(0)) cell.mark.textContent = "";
    if (current) finish("stopped");
    for (const cell of everyCell()) {
      cell.fresh = false;
      if (cell.mark.textContent !== "stopped") cell.mark.textContent = "";
    }
    work();
  }

  const stopper = button("■ Stop", () => restart(), "Stop, and start Python afresh");
  const whole = button("Reset page", resetPage, "Reset page: all cells as they were, Python afresh");

  function resetPage() {
    const changed = edited();
    if (changed.length && !confirm(`Undo your changes to ${changed.length} cell(s)?`)) return;
    for (const cell of changed) reset(cell);
    restart();
  }

  addEventListener("beforeunload", (event) => {
    if (edited().length) event.preventDefault();
  });

  async function json(file) {
    const answer = await fetch(here + file);
    if (!answer.ok) throw new Error(`${file}: the server answers ${answer.status}`);
    return answer.json();
  }

  (async () => {
    try {
      say("Loading…");
      starter.disabled = true;
      [manifest, page] = await Promise.all([json("manifest.json"), json(`pages/${bar.dataset.page}.json`)]);
      Object.assign(page, withSeconds(page));
    } catch (error) {
      return on.failed({ text: error.message });
    }
    if (!cells.length) {
      document.head.append(make("link", { rel: "stylesheet", href: here + "live.css" }));
      equipPage();
      bar.querySelector(".live-note")?.remove();
      starter.after(stopper, whole);
    }
    starter.hidden = true;
    stopper.hidden = whole.hidden = false;
    stopper.disabled = true;
    if (document.activeElement === document.body) stopper.focus?.({ preventScroll: true });
    work();
  })();

  const withSeconds = (page) => ({ exercises: page.exercises ?? [], cells: page.cells ?? [] });
}

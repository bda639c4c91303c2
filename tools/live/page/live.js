/* "Run this page": the code cells of a notebook's page become editable and run in the reader's own
   browser. This file comes after the click on the button, which lies in the page. Plain JavaScript,
   no library; Python runs in a worker (worker.mjs). */

const here = new URL("./", import.meta.url).href;
const LONG = 8; // seconds from which on a cell says how long it takes
const LATE = 3000; // milliseconds after which Stop may be pressed a second time

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
const status = () => {
  const made = make("span", { className: "live-status" });
  made.setAttribute("role", "status");
  return made;
};
const lasts = (seconds, more) => {
  const about = more ? "more than" : "about";
  if (seconds < 150) return `${about} ${Math.round(seconds)} seconds`;
  return `${about} ${Math.round(seconds / 60)} minutes`;
};

let app;
export function begin(bar) {
  app ??= application(bar);
  app();
}

function application(bar) {
  const line = bar.querySelector(".live-status");
  const starter = bar.querySelector("button");
  const say = (text) => (line.textContent = text);
  const cells = []; // in the page's order
  const answers = []; // the empty cells under the exercises
  const everyCell = () => [...cells, ...answers];
  let manifest, page, worker, current, ready, whole;
  let address; // of nothing: it is taken back to stop what runs, see worker.mjs
  let stops, stopping; // whether Python can be stopped; that it was asked to, and whether it is late
  let queue = [];

  /* ---------- cells ---------- */

  /* What stands in a cell; browsers write some line ends as elements. */
  function textOf({ pre }) {
    const copy = pre.cloneNode(true);
    for (const end of copy.querySelectorAll("br")) end.replaceWith("\n");
    return copy.textContent.replace(/\r\n?/g, "\n").replace(/\u00a0/g, " ").replace(/\n$/, "");
  }
  const isChanged = (cell) => textOf(cell) !== cell.original;
  const secondsOf = (cell) => (isChanged(cell) ? 0 : (cell.about.seconds ?? 0));

  function equip(box, pre, about, name) {
    const cell = { box, pre, about, name, html: pre.innerHTML, fresh: false, mark: status() };
    cell.original = textOf(cell);
    cell.run = button("Run", () => enqueue([cell]), `Run ${name}`);
    cell.upTo = button("Run to here", () => enqueue(upTo(cell)), `Run everything up to ${name}`);
    cell.reset = button("Reset cell", () => reset(cell), `Reset ${name}`);
    cell.reset.hidden = true;
    cell.tools = make("div", { className: "live-tools" }, cell.run, cell.upTo);
    pre.classList.add("live-code");
    pre.setAttribute("contenteditable", "plaintext-only");
    if (pre.contentEditable !== "plaintext-only") {
      pre.removeAttribute("contenteditable"); // an older browser: cells run, but as they are
    } else {
      pre.spellcheck = false;
      pre.tabIndex = 0;
      const attributes = { role: "textbox", autocapitalize: "off", autocorrect: "off" };
      attributes["aria-multiline"] = "true";
      attributes["aria-label"] = `Code of ${name}`;
      for (const [key, value] of Object.entries(attributes)) pre.setAttribute(key, value);
    }
    pre.addEventListener("input", () => {
      cell.fresh = false;
      cell.reset.hidden = !isChanged(cell);
    });
    pre.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !event.shiftKey) return;
      event.preventDefault();
      enqueue([cell]);
    });
    return cell;
  }

  function reset(cell) {
    cell.pre.innerHTML = cell.html;
    restoreOutput(cell);
    cell.verdict?.replaceChildren();
    cell.reset.hidden = true;
    cell.fresh = false;
    cell.mark.textContent = "as it was";
  }

  function equipPage() {
    document.head.append(make("link", { rel: "stylesheet", href: here + "live.css" }));
    const boxes = [...document.querySelectorAll(".bd-article div.cell")].filter((box) =>
      box.querySelector(".cell_input pre"),
    );
    boxes.forEach((box, n) => {
      const about = page.cells[n] ?? {};
      const input = box.querySelector(".cell_input");
      if (about.needs === "PyTorch") {
        const text = "This cell needs an installed PyTorch: it runs on your own computer only.";
        input.append(make("p", { className: "live-tools live-note", textContent: text }));
        return;
      }
      const cell = equip(box, input.querySelector("pre"), about, `cell ${n + 1}`);
      cells.push(cell);
      cell.tools.append(cell.reset);
      if (about.needs) {
        const textContent = `leans on ${about.needs}, which runs on your own computer only`;
        cell.tools.append(make("span", { className: "live-note", textContent }));
      }
      if (about.seconds >= LONG) {
        const textContent = `takes ${lasts(about.seconds, about.more)}`;
        cell.tools.append(make("span", { className: "live-note", textContent }));
      }
      cell.tools.append(cell.mark);
      input.append(cell.tools);
    });
    page.exercises.forEach(equipExercise);
    whole = button("Reset page", resetPage, "Reset page: all cells as they were, Python afresh");
    bar.querySelector(".live-note")?.remove();
    starter.after(whole);
    addEventListener("beforeunload", (event) => {
      if (everyCell().some(isChanged)) event.preventDefault();
    });
  }

  /* An empty cell under an exercise, and the asserts of its solution behind a button. */
  function equipExercise({ id, title, code, checks, needs }) {
    const place = document.getElementById(id);
    if (!place) return;
    const pre = make("pre", { textContent: code });
    const input = make("div", { className: "cell_input" }, make("div", { className: "highlight" }, pre));
    const box = make("div", { className: "live-answer" }, input);
    const cell = equip(box, pre, {}, `your answer to “${title}”`);
    cell.checks = checks;
    cell.needs = needs;
    cell.verdict = make("div", { className: "live-verdict" });
    cell.verdict.setAttribute("role", "status");
    cell.check = button("Check my answer", () => startCheck(cell), `Check my answer to “${title}”`);
    cell.tools.append(cell.check, cell.reset, cell.mark, cell.verdict);
    input.append(cell.tools);
    place.after(box);
    answers.push(cell);
  }

  /* ---------- running ---------- */

  /* A cell, and all above it that have not run since they were changed. */
  function upTo(cell) {
    const before = (other) =>
      other.box.compareDocumentPosition(cell.box) & Node.DOCUMENT_POSITION_FOLLOWING;
    return cells
      .filter((other) => other !== cell && before(other) && !other.fresh && !other.about.needs)
      .concat(cell);
  }

  function enqueue(wanted) {
    const added = wanted.filter((cell) => cell !== current && !queue.includes(cell));
    queue.push(...added);
    for (const cell of added) cell.mark.textContent = "waits";
    const seconds = queue.reduce((sum, cell) => sum + secondsOf(cell), 0);
    if (queue.length > 1 && seconds >= LONG) say(`${queue.length} cells, ${lasts(seconds)}.`);
    next();
  }

  function next() {
    if (!ready || current || !queue.length) return;
    const cell = (current = queue.shift());
    Object.assign(cell, { text: { stdout: "", stderr: "" }, images: 0, begun: false });
    const seconds = secondsOf(cell);
    busy(seconds >= LONG ? `running, ${lasts(seconds, cell.about.more)}…` : "running…");
    order({ kind: "run", source: textOf(cell), name: cell.name });
  }

  function startCheck(cell) {
    if (!ready || current) {
      cell.mark.textContent = ready ? "Another cell is running." : "Python is still starting.";
      return;
    }
    cell.verdict.replaceChildren();
    if (cell.needs) {
      const text = "The check needs names that only a computer with PyTorch or statsmodels has.";
      cell.verdict.append(sentence(text));
      return;
    }
    current = cell;
    busy("checking…");
    order({ kind: "check", source: textOf(cell), solutions: cell.checks });
  }

  function order(message) {
    address = newAddress();
    worker.postMessage({ ...message, address });
  }

  function newAddress() {
    takeBack();
    try {
      return URL.createObjectURL(new Blob([]));
    } catch {
      return null;
    }
  }

  function takeBack() {
    if (address) URL.revokeObjectURL(address);
    address = null;
  }

  function busy(text) {
    current.mark.textContent = text;
    current.box.setAttribute("aria-busy", "true");
  }

  function finish(text) {
    const cell = current;
    current = null;
    takeBack();
    if (stopping && ready) say("Stopped. What the cells have made until now is kept.");
    stopping = null;
    cell.mark.textContent = text;
    cell.box.removeAttribute("aria-busy");
    return cell;
  }

  /* ---------- output: takes the place of the old one; captions stay ---------- */

  const PICTURE = "img, svg.diagram";
  const inFigure = (element) => element.closest("figure:not(.sound)");

  function output(cell) {
    let out = cell.box.querySelector(":scope > .cell_output");
    if (!out) cell.box.append((out = make("div", { className: "cell_output docutils container" })));
    if (!cell.begun) {
      cell.begun = true;
      cell.saved ??= [...out.childNodes];
      cell.pictures ??= [...out.querySelectorAll(PICTURE)].filter(inFigure);
      cell.drawn ??= [...cell.pictures]; // what stands in their places now
      for (const piece of out.querySelectorAll("div.output, .live-text, .live-picture"))
        if (!inFigure(piece) && !piece.querySelector("figcaption")) piece.remove();
    }
    return out;
  }

  function showText({ stream, text }) {
    if (!current) return;
    const out = output(current);
    let pre = out.querySelector(`pre.live-text.${stream}`);
    if (!pre) {
      const what = stream === "stderr" ? "Messages" : "Output";
      pre = make("pre", { className: `live-text ${stream}`, tabIndex: 0 });
      pre.setAttribute("role", "region");
      pre.setAttribute("aria-label", `${what} of ${current.name}`);
      const other = out.querySelector("pre.live-text");
      if (stream === "stderr" && other) other.after(pre);
      else out.prepend(pre);
    }
    current.text[stream] += text;
    pre.textContent = current.text[stream].replace(/[^\n]*\r(?!\n)/g, ""); // progress on one line
  }

  function showImage({ mime, data }) {
    if (!current) return;
    const out = output(current);
    const image = make("img", { className: "live-picture", src: `data:${mime};base64,${data}` });
    const n = current.images++;
    const place = current.drawn[n];
    if (place) {
      image.alt = place.getAttribute("alt") ?? place.getAttribute("aria-label") ?? "";
      if (place.closest(".keep-colours")) image.classList.add("keep-colours");
      place.replaceWith(image);
      current.drawn[n] = image;
    } else {
      image.alt = `Picture drawn by ${current.name}`;
      out.append(image);
    }
  }

  function showHtml({ data }) {
    if (!current) return;
    const out = output(current);
    out.append(make("div", { className: "live-html output text_html", innerHTML: data }));
  }

  /* A picture that the cell no longer draws is faded: it belongs to the code as it was. */
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

  /* `code` in a sentence, as the book sets it. */
  function sentence(text) {
    const parts = text.split("`");
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
      worker?.terminate();
      worker = null;
      const what = ready ? "Python has stopped" : "Python did not start";
      ready = false;
      for (const cell of queue.splice(0)) cell.mark.textContent = "";
      if (current) finish("stopped");
      starter.textContent = "▶ Run this page";
      starter.removeAttribute("aria-label");
      delete bar.dataset.on;
      say(`${what}: ${text}. The page reads as before.`);
    },
    ready({ version, slow, stored, stops: can }) {
      ready = true;
      stops = can;
      takeBack();
      const ways = cells[0]?.pre.isContentEditable
        ? "Edit any cell; Shift+Enter runs it."
        : "This browser is too old to edit cells, but they run.";
      const notes = [`Python ${version} is ready. ${ways}`];
      if (slow) notes.push("Matrix products are slow here.");
      if (!stops) notes.push("Stop starts Python afresh here: what the cells have made is lost then.");
      if (!stored) notes.push("Nothing can be stored here: the next visit loads all of it again.");
      say(notes.join(" "));
      next();
    },
    done({ ok, seconds }) {
      if (!current) return;
      if (ok) {
        output(current); // also if it printed nothing this time
        fade(current);
      }
      current.fresh = ok;
      if (!ok)
        for (const cell of queue.splice(0)) cell.mark.textContent = "not run: an error came before";
      const how = ok ? "done" : stopping ? "stopped" : "error";
      finish(how + (seconds < 0.1 ? "" : `, ${seconds.toFixed(1)} s`));
      next();
    },
    checked({ right, lines }) {
      if (!current) return;
      const cell = finish(right === true ? "right" : right === false ? "not yet" : "");
      cell.verdict.replaceChildren(...lines.map(sentence));
      next();
    },
  };

  /* ---------- start, stop, reset ---------- */

  function work() {
    ready = false;
    say("Loading Python…");
    try {
      worker = new Worker(here + "worker.mjs", { type: "module" });
    } catch (error) {
      on.failed({ text: `the browser does not allow it (${error.message})` });
      return;
    }
    worker.onmessage = ({ data }) => on[data.kind](data);
    worker.onerror = (event) => on.failed({ text: event.message || "its worker did not load" });
    address = newAddress();
    worker.postMessage({ kind: "start", manifest, page, address });
  }

  function restart() {
    worker?.terminate();
    for (const cell of everyCell()) {
      cell.fresh = false;
      cell.mark.textContent = "";
    }
    queue = [];
    ready = false;
    if (current) finish("stopped");
    work();
  }

  function stop() {
    if (!bar.dataset.on) return; // this click starts
    if (!ready) return;
    if (!current) say("Nothing is running.");
    else if (!stops || stopping?.late) restart();
    else if (!stopping) interrupt();
  }

  /* Names stay. A single step that takes long, in NumPy say, is not stopped before it is through. */
  function interrupt() {
    const asked = (stopping = { late: false });
    for (const cell of queue.splice(0)) cell.mark.textContent = "";
    takeBack();
    say("Stopping…");
    setTimeout(() => {
      if (stopping !== asked) return;
      asked.late = true;
      say("Python stops when the step that it is at is through. Stop, pressed again, ends it at once " +
        "and starts Python afresh: what the cells have made is lost then.");
    }, LATE);
  }

  function resetPage() {
    const changed = everyCell().filter(isChanged);
    const cellsOf = changed.length === 1 ? "one cell" : `${changed.length} cells`;
    if (changed.length && !confirm(`Undo your changes to ${cellsOf}?`)) return;
    for (const cell of everyCell()) reset(cell);
    restart();
  }

  async function json(file) {
    const answer = await fetch(here + file);
    if (!answer.ok) throw new Error(`${file}: the server answers ${answer.status}`);
    return answer.json();
  }

  starter.addEventListener("click", stop);

  return async () => {
    if (bar.dataset.on) return;
    bar.dataset.on = "yes";
    try {
      say("Loading…");
      page ??= await json(`pages/${bar.dataset.page}.json`);
      manifest ??= await json("manifest.json");
    } catch (error) {
      on.failed({ text: error.message });
      return;
    }
    if (!whole) equipPage();
    starter.textContent = "■ Stop";
    starter.setAttribute("aria-label", "Stop what runs");
    work();
  };
}

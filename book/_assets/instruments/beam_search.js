/* Beam search over the answers of the small reader of dates (date_reader.js), step by step.

   Keep the k most probable beginnings; extend each by every symbol; keep the k best of those, and so
   on. One that ends is put aside and keeps its place, so the beam narrows by one. */

"use strict";

const beamSearch = {
  /* Picked by a search over validation dates for what the notes say; the last two are not picked:
     the second date of validation (the first is of the kind of the first here), and a language that
     training never showed. */
  EXAMPLES: [
    { text: "tuesday, 27 december 1994", truth: "1994-12-27", note: "picked: greedy fails" },
    { text: "donderdag 26 december 1946", truth: "1946-12-26", note: "picked: greedy is right, a beam of 2 is not" },
    { text: "20. juli 2091", truth: "2091-07-20", note: "picked: three widths, three answers" },
    { text: "trešdiena, 1904. gada 21. decembris", truth: "1904-12-21", note: "picked: a beam of 2 finds less than greedy" },
    { text: "5. februar 2092", truth: "2092-02-05", note: "not picked" },
    { text: "6 chwef 2034", truth: "2034-02-06", note: "Welsh, never shown" },
  ],
  DROPPED: 3, // of the candidates that are dropped the best ones are shown

  /* All candidates of every step, the most probable first, and the answers, the best first.
     A candidate: ids, id, before, logp, total, parent (its rank in the step before), fate. */
  search(model, ids, k, most = dateReader.MOST) {
    const { memory, start } = dateReader.encode(model, ids);
    let beam = [{ ids: [], total: 0, h: start, rank: 0 }];
    const [steps, done] = [[], []];
    while (beam.length && steps.length < most) {
      const grown = beam.flatMap((one) => {
        const { h, logP } = dateReader.step(model, memory, one.ids.at(-1) ?? dateReader.START, one.h);
        return logP.map((logp, id) => ({ ids: [...one.ids, id], id, before: one.total, logp, total: one.total + logp, parent: one.rank, h }));
      });
      grown.sort((a, b) => b.total - a.total);
      const room = k - done.length;
      grown.forEach((one, rank) => {
        one.rank = rank;
        one.fate = rank >= room ? "dropped" : one.id === dateReader.END ? "ended" : "kept";
        if (one.fate === "ended") done.push({ ids: one.ids.slice(0, -1), total: one.total, ended: true, step: steps.length, rank });
      });
      beam = grown.filter(({ fate }) => fate === "kept");
      steps.push(grown);
    }
    const cut = beam.map(({ ids: all, total, rank }) => ({ ids: all, total, ended: false, step: steps.length - 1, rank }));
    return { steps, answers: [...done, ...cut].sort((a, b) => b.total - a.total) };
  },

  spell: (model, ids) => ids.map((id) => (id === dateReader.END ? "⟨end⟩" : id === dateReader.START ? "⟨start⟩" : model.targets[id])).join(""),

  fill(box, words) {
    const { element, slider } = instruments;
    element("p", { class: "instrument-title", text: "Instrument: beam search, step by step" }, box);
    const first = element("div", {}, box);
    first.append(...words);
    const touched = () => load().then(() => draw()).catch(() => {}); // the status has said it
    const inputs = dateReader.inputs(box, {
      label: "a date, as you would write it", examples: beamSearch.EXAMPLES, network: "half-trained", changed: touched,
    });
    const width = slider(inputs.controls, { label: "beam width k", min: 1, max: 5, step: 1, value: 2, say: String }, touched);
    const made = slider(inputs.controls, { label: "steps made", min: 0, max: 11, step: 1, value: 7, say: String }, touched);
    const back = element("button", { type: "button", text: "One step back" }, inputs.controls);
    const on = element("button", { type: "button", text: "One step on" }, inputs.controls);
    const end = element("button", { type: "button", text: "To the end" }, inputs.controls);
    const status = element("p", { class: "instrument-status", role: "status" }, box);
    status.textContent = "The network is loaded when you first change something (42 kB).";
    const drawings = element("div", { class: "instrument-table", tabindex: 0, role: "region",
                                      "aria-label": "The search as a tree" }, box);
    const legend = element("p", { class: "instrument-legend", hidden: "" }, box);
    for (const text of ["In a box: a letter, and log P of all up to it.", "Solid frame: kept. Filled: ended, put aside.",
                        `Dashed: dropped (at most the ${beamSearch.DROPPED} best of them are drawn).`]) {
      element("span", { text }, legend);
    }
    const table = element("div", { class: "instrument-table", tabindex: 0, role: "region", hidden: "",
                                   "aria-label": "The candidates of the last step" }, box);

    let packed = null;
    let found = null;
    const load = instruments.loader(dateReader.ADDRESS, status, (file) => {
      packed = file;
      first.remove();
    });
    const search = () => {
      const key = `${inputs.stage.value} ${width.value} ${inputs.text.value}`;
      if (found?.key === key) return;
      const model = dateReader.model(packed, inputs.stage.value);
      const text = dateReader.read(model, inputs.text.value);
      const { steps, answers } = text.ids.length ? beamSearch.search(model, text.ids, width.value) : { steps: [], answers: [] };
      found = { key, model, text, steps, answers, k: width.value };
      made.row.querySelector("input").max = Math.max(1, steps.length);
      made.set(Math.min(made.value, steps.length));
    };
    const draw = () => {
      search();
      const { steps, text } = found;
      const at = Math.min(made.value, steps.length);
      const empty = steps.length === 0;
      for (const part of [drawings, legend, table]) part.hidden = empty;
      [back.disabled, on.disabled, end.disabled] = [at === 0, at >= steps.length, at >= steps.length];
      if (empty) {
        status.textContent = "There is no text to read.";
        return;
      }
      beamSearch.picture(drawings, found, at);
      beamSearch.table(table, found, at);
      const truth = inputs.example?.truth;
      status.textContent = [beamSearch.words(found, at, truth), dateReader.complaints(text)].join(" ").trim();
    };
    const go = (to) => load().then(() => {
      search();
      made.set(to(made.value));
      draw();
    }).catch(() => {});
    back.addEventListener("click", () => go((v) => v - 1));
    on.addEventListener("click", () => go((v) => v + 1));
    end.addEventListener("click", () => go(() => found.steps.length));
  },

  /* The state of the search in words; at its end the best answer, greedy's, and whose fault it is. */
  words({ model, text, steps, answers, k }, at, truth) {
    const { say } = dateReader;
    const spell = (ids) => beamSearch.spell(model, ids) || "the empty answer";
    if (at === 0) return `Nothing is written yet: one beginning, the empty one, with log P 0. The beam has ${k} ${k === 1 ? "place" : "places"}.`;
    const last = steps[at - 1];
    const name = ({ ids, total }) => `${spell(ids)} (${say(total)})`;
    const kept = last.filter(({ fate }) => fate === "kept").map(name);
    const ended = last.filter(({ fate }) => fate === "ended").map(name);
    const dropped = last.find(({ fate }) => fate === "dropped");
    const parts = [`Step ${at} of ${steps.length}: ${last.length} candidates.`];
    if (kept.length) parts.push(`Kept: ${kept.join(", ")}.`);
    if (ended.length) parts.push(`Ended: ${ended.join(", ")}.`);
    if (dropped) parts.push(`The best that is dropped: ${name(dropped)}.`);
    if (at < steps.length) return parts.join(" ");
    const best = answers[0];
    const answer = ({ ids, total, ended: whole }) =>
      `${spell(ids)}${whole ? "" : " (cut: it has not ended)"}, log P ${say(total, 3)}, P ${Number(Math.exp(total).toPrecision(2))}`;
    parts.push(`The search is over. Best answer: ${answer(best)}.`);
    if (truth) {
      const ids = [...truth].map((one) => model.targets.indexOf(one));
      const logP = dateReader.logPOf(model, text.ids, ids);
      if (ids.join() === best.ids.join()) parts.push("That is the right date.");
      else {
        parts.push(`The right date, ${truth}, has log P ${say(logP, 3)}: ` +
                   (logP > best.total ? "more than the answer. A search error." : "no more than the answer. A model error."));
      }
    }
    if (k > 1) {
      const greedy = beamSearch.search(model, text.ids, 1).answers[0];
      const same = greedy.ids.join() === best.ids.join();
      parts.push(same ? "Greedy search finds the same." : `Greedy search finds ${answer(greedy)}.`);
    }
    return parts.join(" ");
  },

  /* The candidates of a step that are shown: those that keep a place, and the best that are dropped. */
  drawn: (step) => step.filter((one, rank) => one.fate !== "dropped" ||
    rank < step.filter(({ fate }) => fate !== "dropped").length + beamSearch.DROPPED),

  picture(parent, { model, steps, answers }, at) {
    const { shape } = instruments;
    const [wide, high, left, top] = [54, 42, 30, 26];
    const columns = steps.slice(0, at).map(beamSearch.drawn);
    const rows = Math.max(1, ...steps.map((step) => beamSearch.drawn(step).length));
    const [width, height] = [left + wide * steps.length + 4, top + high * rows + 4];
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "beam-tree",
                               "aria-label": `The tree of the search after ${at} steps; the table below has the last one` });
    const x = (t) => left + wide * (t + 0.5);
    const y = (row) => top + high * (row + 0.5);
    shape("text", { x: 0, y: 12, text: "step" }, svg);
    steps.forEach((_, t) => shape("text", { x: x(t), y: 12, "text-anchor": "middle", class: t < at ? "" : "range", text: t + 1 }, svg));
    shape("circle", { class: "dot", cx: 8, cy: y(0), r: 4 }, svg);
    const best = new Set(); // the path of the best answer, "step rank"
    if (at === steps.length) {
      let { step, rank } = answers[0];
      for (; step >= 0; step--) {
        best.add(`${step} ${rank}`);
        rank = steps[step][rank].parent;
      }
    }
    const boxes = shape("g");
    columns.forEach((column, t) => {
      column.forEach((one, rank) => {
        const from = t ? { x: x(t - 1) + 20, y: y(one.parent) } : { x: 12, y: y(0) };
        const kind = best.has(`${t} ${rank}`) ? `${one.fate} best` : one.fate;
        shape("path", { class: `join ${kind}`, d: `M${from.x} ${from.y}L${x(t) - 20} ${y(rank)}` }, svg);
        shape("rect", { class: `node ${kind}`, x: x(t) - 20, y: y(rank) - 17, width: 40, height: 34, rx: 4 }, boxes);
        const letter = { [dateReader.END]: "end", [dateReader.START]: "start" }[one.id] ?? model.targets[one.id];
        shape("text", { x: x(t), y: y(rank) - 3, "text-anchor": "middle", class: "letter", text: letter }, boxes);
        shape("text", { x: x(t), y: y(rank) + 12, "text-anchor": "middle", class: "range", text: dateReader.say(one.total) }, boxes);
      });
    });
    svg.append(boxes);
    const scrolled = parent.scrollLeft;
    parent.replaceChildren(svg);
    parent.scrollLeft = scrolled;
    const edge = x(at - 1) + wide;
    if (edge > parent.scrollLeft + parent.clientWidth) parent.scrollLeft = edge - parent.clientWidth;
  },

  table(parent, { model, steps }, at) {
    const { element } = instruments;
    parent.replaceChildren();
    if (at === 0) return;
    const table = element("table", { class: "beam-table" }, parent);
    element("caption", { text: `The candidates of step ${at}, the most probable first` }, table);
    const head = element("tr", {}, element("thead", {}, table));
    for (const name of ["beginning", "its log P", "letter", "its log P", "sum", "fate"]) {
      element("th", { scope: "col", text: name }, head);
    }
    const body = element("tbody", {}, table);
    const fates = { kept: "kept", ended: "ended", dropped: "dropped" };
    for (const one of beamSearch.drawn(steps[at - 1])) {
      const row = element("tr", {}, body);
      element("th", { scope: "row", text: beamSearch.spell(model, one.ids.slice(0, -1)) || "(empty)" }, row);
      const numbers = [one.before, one.logp, one.total].map((v) => dateReader.say(v, 3));
      for (const text of [numbers[0], beamSearch.spell(model, [one.id]), numbers[1], numbers[2], fates[one.fate]]) element("td", { text }, row);
    }
  },
};

if (typeof module !== "undefined") module.exports = beamSearch;
else instruments.define("beam_search", beamSearch.fill);

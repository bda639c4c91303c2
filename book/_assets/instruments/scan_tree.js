/* The scan h_t = a_t h_{t−1} + b_t over eight steps, round by round, in three groupings.

   Two steps as one: (a₁, b₁) then (a₂, b₂) is (a₂ a₁, a₂ b₁ + b₂). A round is a list of pairs of
   places [before, here]; all of its combinations use what stood there before the round. The start
   h_0 is put into the first pair. A place whose pair reaches back to step 1 holds its state in b. */

"use strict";

const scanTree = {
  STEPS: 8,
  DIGITS: [3, 1, 4, 1, 5, 9, 2, 6],
  PRESETS: {
    "half is kept: a = ½": { a: Array(8).fill(0.5), h0: 0 },
    "running sums: a = 1": { a: Array(8).fill(1), h0: 0 },
    "a new start at step 5: a₅ = 0": { a: [1, 1, 1, 1, 0, 1, 1, 1], h0: 0 },
    "parity of 1 0 1 1 0 0 1 0: a = −1 at a 1": {
      a: [-1, 1, -1, -1, 1, 1, -1, 1], b: Array(8).fill(0), h0: 1,
    },
  },

  /* The rounds of a grouping for T places. The tree is scan_tree of the helpers. */
  rounds(form, T) {
    const places = Array.from({ length: T }, (_, t) => t);
    if (form === "loop") return places.slice(1).map((t) => [[t - 1, t]]);
    if (form === "doubling") {
      const found = [];
      for (let reach = 1; reach < T; reach *= 2) {
        found.push(places.slice(reach).map((t) => [t - reach, t]));
      }
      return found;
    }
    const tree = (at) => {
      if (at.length < 2) return [];
      const second = at.filter((_, n) => n % 2 === 1);
      const up = second.map((t, n) => [at[2 * n], t]);
      const down = at.flatMap((t, n) => (n > 0 && n % 2 === 0 ? [[at[n - 1], t]] : []));
      return [up, ...tree(second), ...(down.length ? [down] : [])];
    };
    return tree(places);
  },

  /* All places after 0, 1, 2, … rounds: rows of { a, b, from }, where from counts from 0. */
  run(form, a, b, h0) {
    let row = a.map((v, t) => ({ a: v, b: t ? b[t] : b[t] + v * h0, from: t }));
    const rows = [row];
    for (const round of scanTree.rounds(form, a.length)) {
      const old = row;
      row = [...old];
      for (const [before, here] of round) {
        const [first, second] = [old[before], old[here]];
        row[here] = { a: second.a * first.a, b: second.a * first.b + second.b, from: first.from };
      }
      rows.push(row);
    }
    return rows;
  },

  states(form, a, b, h0) {
    return scanTree.run(form, a, b, h0).at(-1).map((pair) => pair.b);
  },

  /* A number in few characters. */
  say(v) {
    if (!Number.isFinite(v)) return "too large";
    const size = Math.abs(v);
    if (size >= 1e4 || (size > 0 && size < 0.001)) return v.toExponential(0).replace("-", "−");
    const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 || size === 0 ? 2 : 4;
    return String(Number(v.toFixed(digits))).replace("-", "−");
  },

  fill(box) {
    const { element, slider } = instruments;
    element("p", { class: "instrument-title", text: "Instrument: the scan, round by round" }, box);
    const controls = element("div", { class: "instrument-controls" }, box);
    const choose = (label, names) => {
      const row = element("label", { class: "instrument-slider" }, controls);
      element("span", { text: label }, row);
      const made = element("select", {}, row);
      for (const [value, text] of names) element("option", { value, text }, made);
      return made;
    };
    const form = choose("grouping", [["tree", "tree"], ["doubling", "doubling"], ["loop", "loop"]]);
    const preset = choose("numbers", Object.keys(scanTree.PRESETS).map((name) => [name, name]));
    const round = slider(controls, {
      label: "rounds made", min: 0, max: 5, step: 1, value: 1,
      say: (v) => `${v} of ${scanTree.rounds(form.value, scanTree.STEPS).length}`,
    }, () => draw());
    const back = element("button", { type: "button", text: "One round back" }, controls);
    const on = element("button", { type: "button", text: "One round on" }, controls);
    const status = element("p", { class: "instrument-status", role: "status" }, box);
    const drawings = element("div", { class: "instrument-table", tabindex: 0, role: "region",
                                      "aria-label": "The rounds as a drawing" }, box);
    const legend = element("p", { class: "instrument-legend" }, box);
    element("span", { text: "In a box: a above, b below, and the steps that the pair stands for." }, legend);
    element("span", { text: "Thick frame: reaches back to step 1, so b is the state." }, legend);
    element("span", { text: "● your last change has changed this pair." }, legend);

    const frame = element("div", { class: "instrument-table", tabindex: 0, role: "region",
                                   "aria-label": "The numbers of the eight steps, and their pairs" }, box);
    const table = element("table", {}, frame);
    const head = element("tr", {}, element("thead", {}, table));
    for (const name of ["step", "a", "b", "stands for", "a of the pair", "b of the pair", "state"]) {
      element("th", { scope: "col", text: name }, head);
    }
    const body = element("tbody", {}, table);
    const number = (parent, label) => {
      const field = element("input", { type: "number", step: "any", "aria-label": label }, parent);
      field.addEventListener("input", () => changed());
      return field;
    };
    const line = element("tr", {}, body);
    element("th", { scope: "row", text: "start h₀" }, line);
    element("td", {}, line);
    const start = number(element("td", {}, line), "start h0");
    for (let n = 0; n < 4; n++) element("td", {}, line);
    const lines = scanTree.DIGITS.map((_, t) => {
      const row = element("tr", {}, body);
      element("th", { scope: "row", text: t + 1 }, row);
      const [a, b] = ["a", "b"].map((name) => number(element("td", {}, row), `${name} at step ${t + 1}`));
      return { a, b, cells: [0, 1, 2, 3].map(() => element("td", { class: "number" }, row)) };
    });

    const read = (field) => Number(field.value) || 0;
    const run = () => scanTree.run(form.value, lines.map(({ a }) => read(a)), lines.map(({ b }) => read(b)), read(start));
    let rows = null;
    let touched = null; // a set of "round place", or null where nothing was typed yet

    const draw = () => {
      const rounds = scanTree.rounds(form.value, scanTree.STEPS);
      scanTree.picture(drawings, rows, rounds, round.value, touched ?? new Set());
      rows[round.value].forEach((pair, t) => {
        const known = pair.from === 0;
        [known && t === 0 ? "1" : pair.from === t ? `${t + 1}` : `${pair.from + 1} to ${t + 1}`,
         scanTree.say(pair.a), scanTree.say(pair.b), known ? scanTree.say(pair.b) : "unknown",
        ].forEach((text, n) => (lines[t].cells[n].textContent = text));
      });
      back.disabled = round.value === 0;
      on.disabled = round.value === rounds.length;
      status.textContent = scanTree.words(form.value, rows, rounds, round.value, touched);
    };
    const changed = () => {
      const old = rows;
      rows = run();
      touched = new Set();
      scanTree.rounds(form.value, scanTree.STEPS).forEach((made, r) => {
        for (const [, t] of made) {
          const [was, is] = [old[r + 1][t], rows[r + 1][t]];
          if (was.a !== is.a || was.b !== is.b) touched.add(`${r + 1} ${t}`);
        }
      });
      draw();
    };
    const load = () => {
      const { a, b, h0 } = scanTree.PRESETS[preset.value];
      lines.forEach((fields, t) => {
        fields.a.value = a[t];
        fields.b.value = (b ?? scanTree.DIGITS)[t];
      });
      start.value = h0;
      rows = run();
      touched = null;
      draw();
    };
    const go = (to) => {
      round.set(to);
      draw();
    };
    back.addEventListener("click", () => go(round.value - 1));
    on.addEventListener("click", () => go(round.value + 1));
    preset.addEventListener("change", load);
    form.addEventListener("change", () => {
      const last = scanTree.rounds(form.value, scanTree.STEPS).length;
      round.row.querySelector("input").max = last;
      rows = run();
      touched = null;
      go(Math.min(round.value, last));
    });
    load();
  },

  /* The state of the instrument in words. */
  words(form, rows, rounds, at, touched) {
    const sum = (made) => made.reduce((n, round) => n + round.length, 0);
    const known = rows[at].flatMap((pair, t) => (pair.from === 0 ? [`h${"₁₂₃₄₅₆₇₈"[t]}`] : []));
    const name = { tree: "the tree", doubling: "doubling", loop: "the loop" };
    const cost = (kind) => {
      const all = scanTree.rounds(kind, scanTree.STEPS);
      return `${name[kind]} needs ${all.length} rounds and ${sum(all)} combinations`;
    };
    const others = ["tree", "doubling", "loop"].filter((kind) => kind !== form).map(cost);
    const all = sum(rounds);
    const parts = [
      `After ${at} of ${rounds.length} rounds and ${sum(rounds.slice(0, at))} of ${all} combinations, ` +
        `${known.length} of 8 states are known: ${known.join(", ")}.`,
      `For comparison, ${others.join("; ")}.`,
    ];
    if (touched) parts.push(`Your last change has changed ${touched.size} of the ${all} joined pairs of all rounds.`);
    return parts.join(" ");
  },

  picture(parent, rows, rounds, at, touched) {
    const { shape } = instruments;
    const [gap, high, left] = [56, 74, 52];
    const height = 14 + high * rows.length;
    const svg = shape("svg", { viewBox: `0 0 ${left + 8 * gap} ${height}`, role: "img", class: "scan-tree",
                               "aria-label": `The pairs after ${at} rounds; the table below has their numbers` });
    const x = (t) => left + gap * (t + 0.5);
    const y = (r) => 14 + high * (r + 0.4);
    const boxes = shape("g");
    for (let r = 0; r < rows.length; r++) {
      shape("text", { x: 4, y: y(r) + 4, text: r ? `round ${r}` : "start" }, svg);
      if (r > at) {
        scanTree.DIGITS.forEach((_, t) => shape("circle", { class: "dot still", cx: x(t), cy: y(r), r: 2.5 }, svg));
        continue;
      }
      const made = r ? rounds[r - 1].map(([, t]) => t) : scanTree.DIGITS.map((_, t) => t);
      rows[r].forEach((pair, t) => {
        if (r) shape("path", { class: "grid", d: `M${x(t)} ${y(r - 1)}V${y(r)}` }, svg);
        if (!made.includes(t)) return void shape("circle", { class: "dot", cx: x(t), cy: y(r), r: 2.5 }, svg);
        const kind = pair.from === 0 ? "node known" : "node";
        shape("rect", { class: kind, x: x(t) - 25, y: y(r) - 25, width: 50, height: 50, rx: 4 }, boxes);
        const middle = { x: x(t), "text-anchor": "middle" };
        shape("text", { ...middle, y: y(r) - 11, text: scanTree.say(pair.a) }, boxes);
        shape("text", { ...middle, y: y(r) + 4, text: scanTree.say(pair.b) }, boxes);
        const range = pair.from === t ? `${t + 1}` : `${pair.from + 1}–${t + 1}`;
        const dot = touched.has(`${r} ${t}`) ? "● " : "";
        shape("text", { ...middle, class: "range", y: y(r) + 20, text: dot + range }, boxes);
      });
      for (const [before, here] of r ? rounds[r - 1] : []) {
        const boxed = r === 1 || rounds[r - 2].some(([, t]) => t === before);
        shape("path", { class: "join", d: `M${x(before)} ${y(r - 1) + (boxed ? 25 : 0)}L${x(here) - 6} ${y(r) - 26}` }, svg);
      }
    }
    svg.append(boxes);
    parent.replaceChildren(svg);
  },
};

if (typeof module !== "undefined") module.exports = scanTree;
else instruments.define("scan_tree", scanTree.fill);

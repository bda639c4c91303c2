/* One unit of a small character LSTM, letter by letter.

   The model (experiments/letter_unit.py) lies in letter_unit.json, in half precision; it is asked
   for when the reader first touches the instrument. x = E[id]; i, f, o = σ(…), g = tanh(…) of
   x W_xh + h W_hh + b_h, in blocks i, f, g, o; c ← f c + i g; h = o tanh(c); z = h W_hy + b_y. */

"use strict";

const letterUnit = {
  ADDRESS: instruments.beside("letter_unit.json"),
  TEXT: "ROMEO\nBut soft, what light through yonder window breaks?\nIt is the east, and Juliet is the sun!\n\nNURSE\nMadam!\n\nJULIET\nBy and by I come.\n",
  UNIT: 6,
  LONGEST: 600,
  WRITES: 60,
  TEMPERATURE: 0.7,
  SHOWN: {
    c: "cell c", h: "what it shows, h", gates: "all gates: i, f, o", f: "keep gate f", i: "write gate i", o: "show gate o",
    g: "candidate g",
  },

  model(packed) {
    const arrays = instruments.arrays(packed.arrays);
    const ids = new Map(packed.symbols.map((symbol, id) => [symbol, id]));
    const [V, D] = packed.arrays.E.shape;
    return { ...arrays, symbols: packed.symbols, ids, V, D, H: packed.arrays.W_hh.shape[0] };
  },

  step(model, id, { h, c }) {
    const sigmoid = (a) => 0.5 * Math.tanh(0.5 * a) + 0.5;
    const { addProduct } = instruments;
    const { H, D } = model;
    const a = Float64Array.from(model.b_h);
    addProduct(a, model.E.subarray(id * D, (id + 1) * D), model.W_xh);
    addProduct(a, h, model.W_hh);
    const [i, f, g, o] = [0, 1, 2, 3].map((k) => a.subarray(k * H, (k + 1) * H).map(k === 2 ? Math.tanh : sigmoid));
    const cell = c.map((old, n) => f[n] * old + i[n] * g[n]);
    return { i, f, g, o, c: cell, h: cell.map((value, n) => o[n] * Math.tanh(value)) };
  },

  start: ({ H }) => ({ h: new Float64Array(H), c: new Float64Array(H) }),

  read(model, ids) {
    let state = letterUnit.start(model);
    return ids.map((id) => (state = letterUnit.step(model, id, state)));
  },

  logits(model, h) {
    const z = Float64Array.from(model.b_y);
    instruments.addProduct(z, h, model.W_hy);
    return z;
  },

  /* Numbers in [0, 1) that a seed determines (mulberry32). */
  chance(seed) {
    return () => {
      seed = (seed + 0x6d2b79f5) | 0;
      let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
  },

  /* n characters that the model writes after `text`. */
  write(model, text, n, seed) {
    const random = letterUnit.chance(seed);
    let state = letterUnit.start(model);
    for (const id of letterUnit.encode(model, text || "\n")) state = letterUnit.step(model, id, state);
    let written = "";
    for (let k = 0; k < n; k++) {
      const z = letterUnit.logits(model, state.h);
      const top = Math.max(...z);
      const p = z.map((value) => Math.exp((value - top) / letterUnit.TEMPERATURE));
      let left = random() * p.reduce((a, b) => a + b, 0);
      let id = p.findIndex((share) => (left -= share) < 0);
      if (id < 0) id = p.indexOf(Math.max(...p));
      written += model.symbols[id];
      state = letterUnit.step(model, id, state);
    }
    return written;
  },

  encode: (model, text) => [...text].map((one) => model.ids.get(one)).filter((id) => id !== undefined),

  fill(box, words) {
    const { element, slider } = instruments;
    element("p", { class: "instrument-title", text: "Instrument: one unit, letter by letter" }, box);
    const first = element("div", {}, box);
    first.append(...words);
    const label = element("label", { class: "letter-unit-field" }, box);
    element("span", { text: "text" }, label);
    const field = element("textarea", { rows: 5, maxlength: letterUnit.LONGEST, spellcheck: "false" }, label);
    field.value = letterUnit.TEXT;
    const controls = element("div", { class: "instrument-controls" }, box);
    const touched = () => load().then(draw);
    const unit = slider(controls, { label: "unit", min: 0, max: 63, step: 1, value: letterUnit.UNIT, say: String }, touched);
    const row = element("label", { class: "instrument-slider" }, controls);
    element("span", { text: "colour" }, row);
    const shown = element("select", {}, row);
    for (const [value, text] of Object.entries(letterUnit.SHOWN)) element("option", { value, text }, shown);
    const letter = slider(controls, { label: "letter", min: 1, max: field.value.length, step: 1, value: 1,
                                      say: String }, touched);
    const again = element("button", { type: "button", text: "Text as at first" }, controls);
    const write = element("button", { type: "button", text: `Write on, ${letterUnit.WRITES} letters` }, controls);
    const seedRow = element("label", { class: "instrument-slider" }, controls);
    element("span", { text: "seed" }, seedRow);
    const seed = element("input", { type: "number", min: 0, max: 9999, step: 1 }, seedRow);
    seed.value = 1;
    const status = element("p", { class: "instrument-status", role: "status" }, box);
    status.textContent = "The model is loaded when you first change something or choose a unit (72 kB).";
    const page = element("p", { class: "letter-unit-text" }, box);
    const drawings = element("div", { class: "instrument-drawings" }, box);
    const legend = element("p", { class: "instrument-legend" }, box);

    let model = null;
    let steps = [];
    let read = null; // the text that steps belong to
    const load = instruments.loader(letterUnit.ADDRESS, status, (packed) => {
      model = letterUnit.model(packed);
      first.remove();
    });
    const draw = () => {
      const symbols = [...field.value].filter((one) => model.ids.has(one));
      const text = symbols.join("");
      if (text !== read) {
        steps = letterUnit.read(model, letterUnit.encode(model, text));
        read = text;
        letter.row.querySelector("input").max = Math.max(1, steps.length);
        letter.set(Math.min(letter.value, Math.max(1, steps.length)));
      }
      const missing = [...field.value].length - symbols.length;
      letterUnit.show({ symbols, steps, unit: unit.value, kind: shown.value, at: letter.value - 1, missing,
                        page, drawings, legend, status });
    };
    const quietly = (promise) => promise.catch(() => {}); // the status has said it
    const update = () => quietly(touched());
    for (const [part, event] of [[field, "input"], [shown, "change"]]) part.addEventListener(event, update);
    again.addEventListener("click", () => {
      field.value = letterUnit.TEXT;
      update();
    });
    write.addEventListener("click", () => quietly(load().then(() => {
      const room = letterUnit.LONGEST - [...field.value].length;
      field.value += letterUnit.write(model, field.value, Math.min(letterUnit.WRITES, Math.max(0, room)),
                                      Number(seed.value) || 0);
      draw();
      if (room <= 0) status.textContent = `The text has ${letterUnit.LONGEST} letters: shorten it to write on.`;
    })));
    for (const event of ["pointerover", "click"]) {
      page.addEventListener(event, ({ target }) => {
        if (!target.dataset.at) return;
        letter.set(Number(target.dataset.at) + 1);
        draw();
      });
    }
  },

  show({ symbols, steps, unit, kind, at, missing, page, drawings, legend, status }) {
    const { element, axes } = instruments;
    const kinds = kind === "gates" ? ["i", "f", "o"] : [kind];
    const values = Object.fromEntries([..."ifgoch"].map((name) => [name, steps.map((step) => step[name][unit])]));
    const coloured = kind === "gates" ? "f" : kind;
    const largest = "ifogh".includes(coloured) ? 1 : Math.max(0.5, ...values.c.map(Math.abs));
    page.replaceChildren();
    symbols.forEach((symbol, t) => {
      const share = values[coloured][t] / largest;
      const span = element("span", { "data-at": t, text: symbol === "\n" ? "↵" : symbol }, page);
      span.style.setProperty("--hue", share < 0 ? "0 114 178" : "230 159 0");
      span.style.setProperty("--share", Math.min(1, Math.abs(share)).toFixed(3));
      if (t === at) span.className = "is-here";
      if (symbol === "\n") page.append("\n");
    });
    drawings.replaceChildren();
    legend.replaceChildren();
    if (!steps.length) {
      status.textContent = "There is no text to read.";
      return;
    }
    const low = kinds.some((name) => "cgh".includes(name)) ? -largest : 0;
    const say = (v) => v.toFixed(2).replace("-", "−");
    const plot = axes(drawings, {
      width: 400, height: 190, x: [1, Math.max(2, steps.length)], y: [low, largest],
      ticks: { x: [1, steps.length], y: [low, (low + largest) / 2, largest].map((v) => Number(v.toFixed(1))) },
      xlabel: "letter", ylabel: kinds.join(", "),
      name: `Unit ${unit} over the letters: ${letterUnit.SHOWN[kind]}`,
    });
    kinds.forEach((name, n) => {
      const look = ["first", "second", "dashed"][n];
      plot.line(look)(values[name].map((v, t) => [t + 1, v]));
      if (kinds.length === 1) return;
      const entry = element("span", {}, legend);
      const key = instruments.shape("svg", { viewBox: "0 0 30 8", "aria-hidden": "true" }, entry);
      instruments.shape("path", { class: `curve ${look}`, d: "M0 4H30" }, key);
      entry.append(` ${{ i: "write gate i", f: "keep gate f (the colour)", o: "show gate o" }[name]}`);
    });
    instruments.shape("path", { class: "axis", d: `M${plot.px(at + 1)} ${plot.top}V${plot.bottom}` }, plot.svg);
    element("span", { text: "Orange: positive, blue: negative, stronger: larger." }, legend);
    const name = { "\n": "line end", " ": "space" }[symbols[at]] ?? `“${symbols[at]}”`;
    const numbers = [..."cifogh"].map((part) => `${part} = ${say(values[part][at])}`).join(", ");
    status.textContent = `Unit ${unit} after letter ${at + 1} (${name}): ${numbers}.` +
      (missing ? ` ${missing} of the characters typed are not in the model's alphabet and were left out.` : "");
  },
};

if (typeof module !== "undefined") module.exports = letterUnit;
else instruments.define("letter_unit", letterUnit.fill);

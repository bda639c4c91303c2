/* The small reader of dates behind two instruments: it reads a text letter by letter and writes the
   date as ISO 8601 (experiments/date_reader.py; the weights lie in date_reader.json).

   Encoder: a GRU in each direction; m_j are both states at place j, c both last ones.
   Decoder: h_0 = tanh(c W_start + b_start), h_t = GRU(E y_{t−1}, h_{t−1}); it asks, α_t = softmax(h_t · m_j),
   c_t = Σ_j α_tj m_j, u_t = tanh([h_t; c_t] W_u + b_u), log P = log softmax(u_t W_hy + b_y). */

"use strict";

const dateReader = {
  ADDRESS: instruments.beside("date_reader.json"),
  LONGEST: 48, // characters that are read; the longest text of training has 38
  MOST: 15, // symbols that are written at most; a date and its end are 11
  START: 0,
  END: 1,
  NETWORKS: { trained: "trained", "half-trained": "half-trained" },

  model(packed, stage) {
    const arrays = instruments.arrays(packed.stages[stage]);
    const ids = new Map(packed.symbols.map((symbol, id) => [symbol, id]));
    const gru = (prefix, suffix) =>
      Object.fromEntries(["W_xh", "W_hh", "b_h", "b_n"].map((name) => [name, arrays[prefix + name + suffix]]));
    return {
      ...arrays, ids, targets: packed.targets, forward: gru("enc_", "_l0"), reverse: gru("enc_", "_l0_reverse"),
      decoder: gru("dec_", ""),
    };
  },

  /* A text as the network reads it: in lower case, one blank for every stretch of white space. */
  tidy: (text) => text.toLowerCase().split(/\s+/).filter(Boolean).join(" ").normalize("NFC"),

  /* Ids of a typed text, its symbols, those that training never showed, and how many were cut off. */
  read(model, text) {
    const all = [...dateReader.tidy(text)];
    const symbols = all.slice(0, dateReader.LONGEST);
    const foreign = [...new Set(symbols.filter((one) => !model.ids.has(one)))];
    const unknown = model.ids.get("<unk>");
    return { symbols, foreign, cut: all.length - symbols.length, ids: symbols.map((one) => model.ids.get(one) ?? unknown) };
  },

  /* What is strange about a text, in words; empty if nothing is. */
  complaints({ foreign, symbols, cut }) {
    const name = (one) => `“${one}” (U+${one.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")})`;
    const said = [];
    if (foreign.length) {
      const named = foreign.slice(0, 8).map(name).join(", ") + (foreign.length > 8 ? ` and ${foreign.length - 8} more` : "");
      said.push(`Training never showed ${named}: read as the unknown sign, about which nothing was learned.`);
    }
    if (cut) {
      said.push(`The text has ${symbols.length + cut} characters; the first ${symbols.length} are read. ` +
                "No text of training was longer than 38.");
    }
    return said.join(" ");
  },

  row: (E, id, D) => E.subarray(id * D, (id + 1) * D),

  gruStep({ W_xh, W_hh, b_h, b_n }, x, h) {
    const sigmoid = (a) => 0.5 * Math.tanh(0.5 * a) + 0.5;
    const H = h.length;
    const fromX = Float64Array.from(b_h);
    const fromH = new Float64Array(3 * H);
    instruments.addProduct(fromX, x, W_xh);
    instruments.addProduct(fromH, h, W_hh);
    return h.map((old, n) => {
      const r = sigmoid(fromX[n] + fromH[n]);
      const z = sigmoid(fromX[H + n] + fromH[H + n]);
      const fresh = Math.tanh(fromX[2 * H + n] + r * (fromH[2 * H + n] + b_n[n]));
      return z * old + (1 - z) * fresh;
    });
  },

  affine(x, W, b) {
    const out = Float64Array.from(b);
    instruments.addProduct(out, x, W);
    return out;
  },

  /* The memory, a state for every place, and the decoder's first state. */
  encode(model, ids) {
    const units = model.forward.b_n.length;
    const D = model.forward.W_xh.length / (3 * units);
    const run = (gru, order) => {
      let h = new Float64Array(units);
      const states = [];
      for (const j of order) {
        h = dateReader.gruStep(gru, dateReader.row(model.enc_E, ids[j], D), h);
        states[j] = h;
      }
      return { states, last: h };
    };
    const places = ids.map((_, j) => j);
    const [there, back] = [run(model.forward, places), run(model.reverse, [...places].reverse())];
    const join = (a, b) => Float64Array.from([...a, ...b]);
    const context = join(there.last, back.last);
    return {
      memory: places.map((j) => join(there.states[j], back.states[j])),
      start: dateReader.affine(context, model.W_start, model.b_start).map(Math.tanh),
    };
  },

  /* One symbol: log P of every next one after `id`, the state, and the weights over the places. */
  step(model, memory, id, before) {
    const h = dateReader.gruStep(model.decoder, dateReader.row(model.dec_E, id, model.dec_E.length / model.targets.length), before);
    const scores = memory.map((m) => m.reduce((sum, value, n) => sum + value * h[n], 0));
    const weights = dateReader.logSoftmax(scores).map(Math.exp);
    const found = h.map((_, n) => memory.reduce((sum, m, j) => sum + weights[j] * m[n], 0));
    const u = dateReader.affine([...h, ...found], model.W_u, model.b_u).map(Math.tanh);
    return { h, weights, logP: dateReader.logSoftmax([...dateReader.affine(u, model.W_hy, model.b_y)]) };
  },

  logSoftmax(z) {
    const top = Math.max(...z);
    const rest = Math.log(z.reduce((sum, value) => sum + Math.exp(value - top), 0));
    return z.map((value) => value - top - rest);
  },

  /* The answer of greedy search, symbol by symbol: id, log P of all symbols, weights. */
  write(model, ids) {
    const { memory, start } = dateReader.encode(model, ids);
    const steps = [];
    let [id, h] = [dateReader.START, start];
    while (steps.length < dateReader.MOST && (!steps.length || id !== dateReader.END)) {
      const { logP, weights, ...after } = dateReader.step(model, memory, id, h);
      h = after.h;
      id = logP.indexOf(Math.max(...logP));
      steps.push({ id, logP, weights });
    }
    return steps;
  },

  /* log P of a given answer, its end included. */
  logPOf(model, ids, answer) {
    const { memory, start } = dateReader.encode(model, ids);
    let [total, last, h] = [0, dateReader.START, start];
    for (const id of [...answer, dateReader.END]) {
      const made = dateReader.step(model, memory, last, h);
      total += made.logP[id];
      [last, h] = [id, made.h];
    }
    return total;
  },

  /* Is this a day of the calendar, written as ISO 8601? */
  isDay(text) {
    const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
    if (!parts) return false;
    const day = new Date(`${text}T00:00:00Z`);
    return !Number.isNaN(day.getTime()) && day.getUTCDate() === Number(parts[3]) && day.getUTCMonth() + 1 === Number(parts[2]);
  },

  shown: (symbol) => (symbol === " " ? "␣" : symbol),
  say: (value, digits = 2) => value.toFixed(digits).replace("-", "−"),

  /* The field for a text, a list of prepared ones that fill it, and the choice of the network. */
  inputs(box, { label, examples, network, changed }) {
    const { element } = instruments;
    const field = element("label", { class: "date-reader-field" }, box);
    element("span", { text: label }, field);
    const text = element("input", { type: "text", spellcheck: "false", autocomplete: "off", autocapitalize: "off" }, field);
    const controls = element("div", { class: "instrument-controls" }, box);
    const choose = (name, options) => {
      const row = element("label", { class: "instrument-slider" }, controls);
      element("span", { text: name }, row);
      const made = element("select", {}, row);
      for (const [value, shown] of options) element("option", { value, text: shown }, made);
      return made;
    };
    const prepared = choose("prepared", [...examples.map(({ note }, n) => [n, note]), ["", "your own"]]);
    const stage = choose("network", Object.entries(dateReader.NETWORKS));
    stage.value = network;
    text.value = examples[0].text;
    text.addEventListener("input", () => {
      prepared.value = "";
      changed();
    });
    prepared.addEventListener("change", () => {
      if (prepared.value === "") return;
      const example = examples[Number(prepared.value)];
      text.value = example.text;
      if (example.network) stage.value = example.network;
      changed();
    });
    stage.addEventListener("change", () => changed());
    return { text, stage, controls, get example() { return prepared.value === "" ? null : examples[Number(prepared.value)]; } };
  },
};

if (typeof module !== "undefined") module.exports = dateReader;

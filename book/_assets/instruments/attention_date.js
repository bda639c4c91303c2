/* Attention over a date that the reader types: the answer letter by letter, and for each letter the
   weights over the places of the text. The network is dateReader (date_reader.js). */

"use strict";

const attentionDate = {
  EXAMPLES: [
    { text: "friday, july 4, 2031", note: "English" },
    { text: "viernes, 4 de julio de 2031", note: "Spanish" },
    { text: "piektdiena, 2031. gada 4. jūlijs", note: "Latvian" },
    { text: "4. listopada 2031.", note: "Croatian, never shown" },
    { text: "04/07/2031", note: "a form never shown" },
  ],
  WIDE: 16, // of a place on the map
  LEFT: 62,
  LOOKED: 6, // the first digit of the month, counted from 1

  fill(box, words) {
    const { element, slider } = instruments;
    element("p", { class: "instrument-title", text: "Instrument: attention over a date" }, box);
    const first = element("div", {}, box);
    first.append(...words);
    const wish = { looked: attentionDate.LOOKED };
    const touched = () => load().then(() => draw()).catch(() => {}); // the status has said it
    const inputs = dateReader.inputs(box, {
      label: "a date, as you would write it", examples: attentionDate.EXAMPLES, network: "trained", changed: touched,
    });
    const written = slider(inputs.controls, { label: "letters written", min: 1, max: 11, step: 1, value: 11, say: String }, () => {
      wish.looked = written.value;
      touched();
    });
    const back = element("button", { type: "button", text: "One letter back" }, inputs.controls);
    const on = element("button", { type: "button", text: "One letter on" }, inputs.controls);
    const answerLabel = element("p", { class: "date-reader-answer" }, box);
    const status = element("p", { class: "instrument-status", role: "status" }, box);
    status.textContent = "The network is loaded when you first change something (42 kB).";
    const drawings = element("div", { class: "instrument-table", tabindex: 0, role: "region",
                                      "aria-label": "The weights as a map" }, box);
    const legend = element("div", { class: "instrument-legend" }, box);
    const numbers = element("details", { hidden: "" }, box);
    element("summary", { text: "The weights of this letter as numbers" }, numbers);
    const table = element("div", { class: "instrument-table", tabindex: 0, role: "region",
                                   "aria-label": "The weights of this letter as numbers" }, numbers);

    let packed = null;
    let made = null; // what was written for which text by which network
    const load = instruments.loader(dateReader.ADDRESS, status, (file) => {
      packed = file;
      first.remove();
      attentionDate.legend(legend);
    });
    const read = () => {
      const key = `${inputs.stage.value} ${inputs.text.value}`;
      if (made?.key === key) return;
      const model = dateReader.model(packed, inputs.stage.value);
      const text = dateReader.read(model, inputs.text.value);
      const whole = made === null || written.value >= made.steps.length;
      made = { key, model, text, steps: text.ids.length ? dateReader.write(model, text.ids) : [] };
      written.row.querySelector("input").max = Math.max(1, made.steps.length);
      written.set(whole ? made.steps.length : Math.min(written.value, made.steps.length));
    };
    const draw = (follow = true) => {
      read();
      const n = Math.min(written.value, made.steps.length);
      const looked = Math.max(1, Math.min(wish.looked, n));
      const letters = attentionDate.letters(made.model, made.steps);
      for (const part of [drawings, answerLabel, table]) part.replaceChildren();
      numbers.hidden = legend.hidden = !made.steps.length;
      [back.disabled, on.disabled] = [n <= 1, n >= made.steps.length];
      const complaint = dateReader.complaints(made.text);
      if (!made.steps.length) {
        status.textContent = "There is no text to read.";
        return;
      }
      attentionDate.answer(answerLabel, letters.slice(0, n), looked, look);
      attentionDate.picture(drawings, made, letters, n, looked, (t) => look(t, false, false));
      if (follow) attentionDate.follow(drawings, made.steps[looked - 1].weights);
      attentionDate.table(table, made, looked);
      status.textContent = `${attentionDate.words(made, letters, n, looked)} ${complaint}`.trim();
    };
    const look = (t, focus, follow) => {
      if (wish.looked === t) return;
      wish.looked = t;
      draw(follow);
      if (focus) answerLabel.querySelector("[tabindex='0']").focus();
    };
    const go = (by) => load().then(() => {
      read();
      written.set(written.value + by);
      wish.looked = written.value;
      draw();
    }).catch(() => {});
    back.addEventListener("click", () => go(-1));
    on.addEventListener("click", () => go(1));
  },

  letters: (model, steps) => steps.map(({ id }) => (id === dateReader.END ? "end" : model.targets[id])),

  /* The letters that were written, as buttons; the arrow keys go from one to the next. */
  answer(parent, letters, looked, look) {
    const { element } = instruments;
    element("span", { text: "written: " }, parent);
    const group = element("span", { role: "group", "aria-label": "written letters; arrow keys go from one to the next" }, parent);
    letters.forEach((letter, n) => {
      const here = n + 1 === looked;
      const button = element("button", { type: "button", tabindex: here ? 0 : -1, "aria-pressed": here, text: letter,
                                         "aria-label": `letter ${n + 1}: ${letter}` }, group);
      button.addEventListener("click", () => look(n + 1, true));
      button.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && look(n + 1, false));
      button.addEventListener("keydown", (event) => {
        const to = { ArrowLeft: n, ArrowUp: n, ArrowRight: n + 2, ArrowDown: n + 2, Home: 1, End: letters.length }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        if (to >= 1 && to <= letters.length) look(to, true);
      });
    });
  },

  legend(parent) {
    const { element, shape } = instruments;
    element("span", { text: "weight:" }, parent);
    const bar = shape("svg", { viewBox: "0 0 172 28", class: "date-reader-bar", role: "img",
                               "aria-label": "The scale of the map: from 0, the background, to 1, the full colour" }, parent);
    for (let n = 0; n < 20; n++) {
      shape("rect", { class: "weight", x: 6 + 8 * n, y: 1, width: 8, height: 10, "fill-opacity": (n + 0.5) / 20 }, bar);
    }
    shape("rect", { class: "axis", x: 6, y: 1, width: 160, height: 10 }, bar);
    for (const v of [0, 0.25, 0.5, 0.75, 1]) {
      shape("text", { x: 6 + 160 * v, y: 25, "text-anchor": "middle", text: v }, bar);
    }
    element("span", { text: "Framed: the letter looked at; its weights stand above the map as columns. ␣ is a blank, □ an unknown sign." }, parent);
  },

  picture(parent, { text, steps }, letters, n, looked, look) {
    const { shape } = instruments;
    const { WIDE: wide, LEFT: left } = attentionDate;
    const [high, top] = [18, 74];
    const T = text.symbols.length;
    const [width, height] = [left + wide * T + 8, top + high * letters.length + 38];
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", class: "attention-map",
                               "aria-label": `Map of weights: ${n} written letters in rows, ${T} read ones in columns; ` +
                                             "the table below has the numbers of one row" });
    const middle = { "text-anchor": "middle" };
    const base = top - 12;
    const at = (j) => left + wide * (j + 0.5);
    shape("path", { class: "axis", d: `M${left} ${base - 46}V${base}H${left + wide * T}` }, svg);
    for (const v of [0, 1]) shape("text", { x: left - 4, y: base - 46 * v + 4, "text-anchor": "end", text: v }, svg);
    shape("text", { x: left - 16, y: base - 17, "text-anchor": "end", text: "weight" }, svg);
    steps[looked - 1].weights.forEach((weight, j) => {
      shape("rect", { class: "weight", x: at(j) - 5, y: base - 46 * weight, width: 10, height: 46 * weight }, svg);
    });
    letters.forEach((letter, t) => {
      const y = top + high * t;
      if (t >= n) return;
      const row = shape("g", { class: "map-row" }, svg);
      shape("text", { x: left - 6, y: y + 13, "text-anchor": "end", text: letter }, row);
      shape("rect", { class: "ground", x: left, y, width: wide * T, height: high }, row);
      steps[t].weights.forEach((weight, j) => {
        if (weight > 0.004) shape("rect", { class: "weight", x: left + wide * j, y, width: wide, height: high, "fill-opacity": weight.toFixed(3) }, row);
      });
      if (t + 1 === looked) shape("rect", { class: "here", x: left, y, width: wide * T, height: high }, svg);
      row.addEventListener("click", () => look(t + 1));
      row.addEventListener("pointerenter", ({ pointerType }) => pointerType === "mouse" && look(t + 1));
    });
    const bottom = top + high * letters.length;
    shape("rect", { class: "axis", x: left, y: top, width: wide * T, height: high * letters.length }, svg);
    text.symbols.forEach((symbol, j) => {
      const shown = text.foreign.includes(symbol) ? "□" : dateReader.shown(symbol);
      shape("text", { ...middle, x: at(j), y: bottom + 15, text: shown }, svg);
    });
    shape("text", { ...middle, x: left + (wide * T) / 2, y: bottom + 33, text: "read" }, svg);
    const side = top + (high * letters.length) / 2;
    shape("text", { ...middle, x: 12, y: side, text: "written", transform: `rotate(-90 12 ${side})` }, svg);
    const scrolled = parent.scrollLeft;
    parent.replaceChildren(svg);
    parent.scrollLeft = scrolled;
  },

  /* Scroll, where the map is wider than its frame, to the place with the most weight. */
  follow(parent, weights) {
    const place = attentionDate.LEFT + attentionDate.WIDE * weights.indexOf(Math.max(...weights));
    if (place < parent.scrollLeft || place + attentionDate.WIDE > parent.scrollLeft + parent.clientWidth) {
      parent.scrollLeft = place - parent.clientWidth / 2;
    }
  },

  table(parent, { text, steps }, looked) {
    const { element } = instruments;
    const table = element("table", {}, parent);
    const head = element("tr", {}, element("thead", {}, table));
    for (const name of ["place", "read", "weight"]) element("th", { scope: "col", text: name }, head);
    const body = element("tbody", {}, table);
    steps[looked - 1].weights.forEach((weight, j) => {
      const row = element("tr", {}, body);
      element("th", { scope: "row", text: j + 1 }, row);
      element("td", { text: text.symbols[j] === " " ? "blank" : text.symbols[j] }, row);
      element("td", { text: weight.toFixed(4) }, row);
    });
  },

  /* The state of the instrument in words. */
  words({ model, text, steps }, letters, n, looked) {
    const { say } = dateReader;
    const name = (letter) => (letter === "end" ? "the end" : `“${letter}”`);
    const share = (logP) => {
      const p = Math.exp(logP);
      return p > 0.9995 ? "over 0.999" : p < 0.0005 ? "under 0.001" : say(p, 3);
    };
    const step = steps[looked - 1];
    const ranked = step.logP.map((value, id) => [value, id]).sort((a, b) => b[0] - a[0]);
    const other = ranked[1][1] === dateReader.END ? "end" : model.targets[ranked[1][1]];
    const places = step.weights.map((weight, j) => [weight, j]).sort((a, b) => b[0] - a[0]).slice(0, 3);
    const most = places.filter(([weight], k) => k === 0 || weight >= 0.05).map(([weight, j]) =>
      `${text.symbols[j] === " " ? "the blank" : `“${text.symbols[j]}”`} at place ${j + 1} (${say(weight)})`);
    const parts = [];
    const soFar = letters.slice(0, n).filter((letter) => letter !== "end").join("");
    const complete = n === steps.length;
    parts.push(complete ? `The answer is ${soFar || "empty"}.` : `Written so far: ${soFar}.`);
    if (complete && letters.at(-1) !== "end") parts.push(`It has not ended after ${steps.length} letters.`);
    else if (complete && !dateReader.isDay(soFar)) parts.push("That is not a day of the calendar.");
    parts.push(`Letter ${looked} is ${name(letters[looked - 1])}, with probability ${share(ranked[0][0])}; ` +
               `the next choice would be ${name(other)}, ${share(ranked[1][0])}.`);
    parts.push(`Most weight: ${most.join(", ")}.`);
    return parts.join(" ");
  },
};

if (typeof module !== "undefined") module.exports = attentionDate;
else instruments.define("attention_date", attentionDate.fill);

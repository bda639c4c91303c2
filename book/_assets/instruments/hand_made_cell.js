/* The cell that was set by hand in notebook 11, to be driven.

   g = x₁; i = σ(s(100 x₂ − 10)); f = σ(s(100 x₂ + 10)); o = σ(s(100 x₃ − 10)), with a sharpness s
   between 0 and 1; c ← f c + i g; shown: o c. */

"use strict";

const handMadeCell = {
  FIRST: [[3, 1, 0], [4, 1, 0], [2, 0, 0], [1, 0, 1], [3, -1, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0]],

  sigmoid(a) {
    return a >= 0 ? 1 / (1 + Math.exp(-a)) : Math.exp(a) / (1 + Math.exp(a));
  },

  /* Rows [i, f, o, c, shown] for rows [x₁, x₂, x₃]. */
  run(inputs, sharpness) {
    let c = 0;
    return inputs.map(([x1, x2, x3]) => {
      const i = handMadeCell.sigmoid(sharpness * (100 * x2 - 10));
      const f = handMadeCell.sigmoid(sharpness * (100 * x2 + 10));
      const o = handMadeCell.sigmoid(sharpness * (100 * x3 - 10));
      c = f * c + i * x1;
      return [i, f, o, c, o * c];
    });
  },

  fill(box) {
    const { element, slider } = instruments;
    element("p", { class: "instrument-title", text: "Instrument: drive the cell" }, box);
    const controls = element("div", { class: "instrument-controls" }, box);
    const draw = () => {
      const inputs = fields.map((row) => row.map((field) => Number(field.value) || 0));
      handMadeCell.run(inputs, sharpness.value).forEach(([i, f, o, c, h], t) => {
        cells[t].forEach((cell, n) => {
          const v = [i, f, o, c, h][n];
          cell.textContent = (Math.abs(v) < 5e-5 ? 0 : v).toFixed(n < 3 ? 2 : 4);
        });
      });
    };
    const sharpness = slider(controls, { label: "sharpness of the gates", min: 0.01, max: 1, step: 0.01, value: 1,
                                         say: (v) => v.toFixed(2) }, draw);
    const again = element("button", { type: "button", text: "Inputs as at first" }, controls);
    const frame = element("div", { class: "instrument-table", tabindex: 0, role: "region",
                                   "aria-label": "Inputs and states of the cell" }, box);
    const table = element("table", {}, frame);
    const head = element("tr", {}, element("thead", {}, table));
    for (const name of ["step", "x₁", "x₂", "x₃", "i", "f", "o", "memory", "shown"]) {
      element("th", { scope: "col", text: name }, head);
    }
    const body = element("tbody", {}, table);
    const cells = [];
    const fields = handMadeCell.FIRST.map((row, t) => {
      const line = element("tr", {}, body);
      element("th", { scope: "row", text: t + 1 }, line);
      const made = row.map((value, n) => {
        const field = element("input", {
          type: "number", min: -9, max: 9, step: n ? 1 : "any", "aria-label": `x${n + 1} at step ${t + 1}`,
        }, element("td", {}, line));
        field.value = value;
        field.addEventListener("input", draw);
        return field;
      });
      cells.push([0, 1, 2, 3, 4].map(() => element("td", { class: "number" }, line)));
      return made;
    });
    again.addEventListener("click", () => {
      fields.forEach((row, t) => row.forEach((field, n) => (field.value = handMadeCell.FIRST[t][n])));
      sharpness.set(1);
      draw();
    });
    draw();
  },
};

if (typeof module !== "undefined") module.exports = handMadeCell;
else instruments.define("hand_made_cell", handMadeCell.fill);

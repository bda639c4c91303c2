/* A keep gate and its half-life: f = σ(b), c_k = f^k, half-life ln 2 / ln(1 + e^(−b)) steps. */

"use strict";

const keepGate = {
  STEPS: 100,

  sigmoid(a) {
    return a >= 0 ? 1 / (1 + Math.exp(-a)) : Math.exp(a) / (1 + Math.exp(a));
  },

  halfLife(bias) {
    return Math.LN2 / Math.log1p(Math.exp(-bias));
  },

  held(bias) {
    return Array.from({ length: keepGate.STEPS + 1 }, (_, k) => keepGate.sigmoid(bias) ** k);
  },

  fill(box) {
    const { element, slider, axes } = instruments;
    element("p", { class: "instrument-title", text: "Instrument: a keep gate and its half-life" }, box);
    const controls = element("div", { class: "instrument-controls" }, box);
    const draw = () => {
      const b = bias.value;
      const half = keepGate.halfLife(b);
      curve(keepGate.held(b).map((v, k) => [k, v]));
      mark(half <= keepGate.STEPS ? [[half, 0], [half, 0.5], [0, 0.5]] : [[keepGate.STEPS, 0.5], [0, 0.5]]);
      status.textContent =
        `f = ${keepGate.sigmoid(b).toFixed(4)}: half of the memory is left after ` +
        `${Number(half.toPrecision(3))} steps, and ${Number((100 * keepGate.sigmoid(b) ** 100).toPrecision(2))} % after 100.`;
    };
    const bias = slider(controls, { label: "bias of the keep gate", min: -3, max: 8, step: 0.1, value: 1,
                                    say: (v) => v.toFixed(1) }, draw);
    const drawings = element("div", { class: "instrument-drawings" }, box);
    const plot = axes(drawings, {
      width: 400, height: 240, x: [0, keepGate.STEPS], y: [0, 1],
      ticks: { x: [0, 20, 40, 60, 80, 100], y: [0, 0.5, 1] }, xlabel: "steps in which nothing comes in",
      ylabel: "left of a 1", name: "What is left of a memory over 100 steps",
    });
    const curve = plot.line("first");
    const mark = plot.line("dashed");
    const status = element("p", { class: "instrument-status", role: "status" }, box);
    draw();
  },

};

if (typeof module !== "undefined") module.exports = keepGate;
else instruments.define("keep_gate", keepGate.fill);

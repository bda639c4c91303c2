/* Two eigenvalues on the plane, and what the powers of their matrix do to a gradient.

   A pair r e^(±iθ):  W = r [[cos θ, −s sin θ], [sin θ / s, cos θ]]: a turn, seen through a stretch s.
   Two real ones:     W = [[λ₁, n], [0, λ₂]]: n couples the two.
   Stretch and coupling change no eigenvalue. A gradient goes k steps back by dh W^T … W^T. */

"use strict";

const eigenvalues = {
  LAGS: 60,

  pair(r, theta, stretch) {
    const [c, s] = [r * Math.cos(theta), r * Math.sin(theta)];
    return [c, -s * stretch, s / stretch, c];
  },

  real(first, second, coupling) {
    return [first, coupling, 0, second];
  },

  times([a, b, c, d], [e, f, g, h]) {
    return [a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h];
  },

  /* The largest singular value of [[a, b], [c, d]], in closed form. */
  norm([a, b, c, d]) {
    const [rows, sum] = [a * a + b * b - c * c - d * d, a * a + b * b + c * c + d * d];
    return Math.sqrt((sum + Math.hypot(rows, 2 * (a * c + b * d))) / 2);
  },

  /* ‖W^k‖ and the length of (1, 0) (W^T)^k, for k = 0 … LAGS. */
  powers(W) {
    const found = { norms: [], gradients: [] };
    let power = [1, 0, 0, 1];
    for (let k = 0; k <= eigenvalues.LAGS; k++) {
      found.norms.push(eigenvalues.norm(power));
      found.gradients.push(Math.hypot(power[0], power[2])); // the first column of W^k
      power = eigenvalues.times(power, W);
    }
    return found;
  },

  fill(box) {
    const { element, shape, slider, axes, place } = instruments;
    const two = (v) => v.toFixed(2);
    element("p", { class: "instrument-title", text: "Instrument: two eigenvalues" }, box);
    const controls = element("div", { class: "instrument-controls" }, box);
    const choice = element("label", { class: "instrument-slider" }, controls);
    element("span", { text: "eigenvalues" }, choice);
    const kind = element("select", {}, choice);
    element("option", { value: "pair", text: "a complex pair" }, kind);
    element("option", { value: "real", text: "two real ones" }, kind);
    const draw = () => eigenvalues.draw(parts);
    const sliders = {
      r: slider(controls, { label: "size |λ|", min: 0, max: 1.2, step: 0.01, value: 0.9, say: two }, draw),
      theta: slider(controls, { label: "angle (degrees)", min: 0, max: 180, step: 1, value: 30, say: String }, draw),
      stretch: slider(controls, { label: "stretch s", min: 1, max: 20, step: 0.5, value: 1, say: String }, draw),
      first: slider(controls, { label: "λ₁", min: -1.2, max: 1.2, step: 0.01, value: 0.9, say: two }, draw),
      second: slider(controls, { label: "λ₂", min: -1.2, max: 1.2, step: 0.01, value: 0.8, say: two }, draw),
      coupling: slider(controls, { label: "coupling n", min: 0, max: 5, step: 0.05, value: 0, say: two }, draw),
    };
    const drawings = element("div", { class: "instrument-drawings" }, box);
    const plane = axes(drawings, {
      width: 300, height: 290, x: [-1.3, 1.3], y: [-1.3, 1.3], ticks: { x: [-1, 0, 1], y: [-1, 0, 1] },
      xlabel: "real part", ylabel: "imaginary part", name: "The eigenvalues on the complex plane",
    });
    const radius = plane.px(1) - plane.px(0);
    shape("ellipse", { class: "circle", cx: plane.px(0), cy: plane.py(0), rx: radius,
                       ry: plane.py(0) - plane.py(1) }, plane.svg);
    const dots = [0, 1].map(() => shape("circle", { class: "handle", r: 8 }, plane.svg));
    const lags = axes(drawings, {
      width: 330, height: 290, x: [0, eigenvalues.LAGS], y: [1e-4, 1e3], log: true,
      ticks: { x: [0, 20, 40, 60], y: [0.001, 0.01, 0.1, 1, 10, 100] },
      xlabel: "lag k (steps)", ylabel: "length", name: "Powers of the matrix over the lag",
    });
    const curves = { bound: lags.line("dashed"), norms: lags.line("first"), gradients: lags.line("second") };
    const legend = element("p", { class: "instrument-legend" }, box);
    for (const [kindOf, text] of [["first", "‖Wᵏ‖: the most that any gradient can keep"],
                                  ["second", "the gradient (1, 0), k steps back"],
                                  ["dashed", "ρᵏ: the largest |λ| to the power k"]]) {
      const entry = element("span", {}, legend);
      const key = shape("svg", { viewBox: "0 0 30 8", "aria-hidden": "true" }, entry);
      shape("path", { class: `curve ${kindOf}`, d: "M0 4H30" }, key);
      entry.append(` ${text}`);
    }
    const status = element("p", { class: "instrument-status", role: "status" }, box);
    const parts = { kind, sliders, plane, dots, curves, status };

    kind.addEventListener("change", draw);
    let held = null;
    plane.svg.addEventListener("pointerdown", (event) => {
      const at = place(plane.svg, event);
      const far = dots.map((dot) =>
        Math.hypot(dot.getAttribute("cx") - at.x, dot.getAttribute("cy") - at.y));
      if (Math.min(...far) > 30) return;
      held = far[0] <= far[1] ? 0 : 1;
      plane.svg.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    plane.svg.addEventListener("pointermove", (event) => {
      if (held === null) return;
      const at = place(plane.svg, event);
      const x = ((at.x - plane.px(0)) / radius);
      const y = (plane.py(0) - at.y) / (plane.py(0) - plane.py(1));
      if (kind.value === "pair") {
        sliders.r.set(Math.hypot(x, y));
        sliders.theta.set((Math.atan2(Math.abs(y), x) * 180) / Math.PI);
      } else sliders[held ? "second" : "first"].set(x);
      draw();
    });
    for (const end of ["pointerup", "pointercancel"]) {
      plane.svg.addEventListener(end, () => (held = null));
    }
    draw();
  },

  draw({ kind, sliders, plane, dots, curves, status }) {
    const pair = kind.value === "pair";
    for (const name of ["r", "theta", "stretch"]) sliders[name].row.hidden = !pair;
    for (const name of ["first", "second", "coupling"]) sliders[name].row.hidden = pair;
    const [r, angle] = [sliders.r.value, (sliders.theta.value * Math.PI) / 180];
    const [first, second] = [sliders.first.value, sliders.second.value];
    const W = pair ? eigenvalues.pair(r, angle, sliders.stretch.value)
                   : eigenvalues.real(first, second, sliders.coupling.value);
    const places = pair
      ? [[r * Math.cos(angle), r * Math.sin(angle)], [r * Math.cos(angle), -r * Math.sin(angle)]]
      : [[first, 0], [second, 0]];
    dots.forEach((dot, i) => {
      dot.setAttribute("cx", plane.px(places[i][0]));
      dot.setAttribute("cy", plane.py(places[i][1]));
    });
    const rho = pair ? r : Math.max(Math.abs(first), Math.abs(second));
    const { norms, gradients } = eigenvalues.powers(W);
    curves.norms(norms.map((v, k) => [k, Math.max(v, 1e-9)]));
    curves.gradients(gradients.map((v, k) => [k, Math.max(v, 1e-9)]));
    curves.bound(norms.map((_, k) => [k, Math.max(rho ** k, 1e-9)]));
    const peak = norms.indexOf(Math.max(...norms));
    const say = (v) => (v >= 0.001 && v < 1e4 ? Number(v.toPrecision(3)) : v.toExponential(1));
    status.textContent =
      `ρ = ${rho.toFixed(2)}, σ₁ = ${say(eigenvalues.norm(W))}. ‖Wᵏ‖ is largest at k = ${peak}: ` +
      `${say(norms[peak])}; at k = ${eigenvalues.LAGS} it is ${say(norms[eigenvalues.LAGS])}.`;
  },
};

if (typeof module !== "undefined") module.exports = eigenvalues;
else instruments.define("eigenvalues", eigenvalues.fill);

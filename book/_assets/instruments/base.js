/* What all instruments share: drawing on axes, sliders with labels, a line that says the state in
   words. Plain JavaScript and SVG. An instrument is a function that fills a box:
   instruments.define("name", (box, words) => { … }), where words are the nodes of the first state,
   which are taken out of the box. Nothing moves by itself. */

"use strict";

const instruments = {
  NAMESPACE: "http://www.w3.org/2000/svg",

  define(name, fill) {
    for (const box of document.querySelectorAll(`[data-instrument="${name}"]`)) {
      const kept = [...box.childNodes];
      box.replaceChildren();
      try {
        fill(box, kept);
        box.classList.add("is-ready");
      } catch (error) {
        console.error(error);
        box.replaceChildren(...kept); // the first state in words
      }
    }
  },

  element(name, attributes, parent) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (key === "text") made.textContent = value;
      else made.setAttribute(key, value);
    }
    parent?.append(made);
    return made;
  },

  shape(name, attributes, parent) {
    const made = document.createElementNS(instruments.NAMESPACE, name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
      if (key === "text") made.textContent = value;
      else made.setAttribute(key, value);
    }
    parent?.append(made);
    return made;
  },

  /* A slider, its name before it and its value behind it. set(value) moves it from outside. */
  slider(parent, { label, min, max, step, value, say }, changed) {
    const row = instruments.element("label", { class: "instrument-slider" }, parent);
    instruments.element("span", { text: label }, row);
    const input = instruments.element("input", { type: "range", min, max, step }, row);
    const shown = instruments.element("output", {}, row);
    const show = () => {
      shown.textContent = say(Number(input.value));
      input.setAttribute("aria-valuetext", shown.textContent);
    };
    input.value = value;
    show();
    input.addEventListener("input", () => {
      show();
      changed();
    });
    return {
      row,
      get value() {
        return Number(input.value);
      },
      set(to) {
        input.value = to;
        show();
      },
    };
  },

  /* Axes in an SVG of width × height. x and y: [from, to]; log: y is logarithmic. */
  axes(parent, { width, height, x, y, log, ticks, xlabel, ylabel, name }) {
    const shape = instruments.shape;
    const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" }, parent);
    svg.setAttribute("aria-label", name);
    const [left, right, top, bottom] = [52, width - 10, 10, height - 40];
    const scale = (v) => (log ? Math.log10(v) : v);
    const [low, high] = y.map(scale);
    const px = (v) => left + ((v - x[0]) / (x[1] - x[0])) * (right - left);
    const py = (v) => {
      const share = (scale(v) - low) / (high - low);
      return bottom - Math.max(-0.02, Math.min(1.02, share)) * (bottom - top);
    };
    shape("path", { class: "axis", d: `M${left} ${top}V${bottom}H${right}` }, svg);
    for (const v of ticks.x) {
      shape("path", { class: "axis", d: `M${px(v)} ${bottom}v4` }, svg);
      shape("text", { x: px(v), y: bottom + 16, "text-anchor": "middle", text: v }, svg);
    }
    for (const v of ticks.y) {
      shape("path", { class: "grid", d: `M${left} ${py(v)}H${right}` }, svg);
      shape("text", { x: left - 6, y: py(v) + 4, "text-anchor": "end", text: v }, svg);
    }
    shape("text", { x: (left + right) / 2, y: height - 6, "text-anchor": "middle", text: xlabel }, svg);
    const middle = (top + bottom) / 2;
    shape("text", { x: 12, y: middle, "text-anchor": "middle", text: ylabel,
                    transform: `rotate(-90 12 ${middle})` }, svg);
    const line = (kind) => {
      const path = shape("path", { class: `curve ${kind}` }, svg);
      return (points) =>
        path.setAttribute("d", points.map(([a, b], i) =>
          `${i ? "L" : "M"}${px(a).toFixed(1)} ${py(b).toFixed(1)}`).join(""));
    };
    return { svg, px, py, line, left, right, top, bottom };
  },

  /* Halves in base64, little end first, as an array of numbers. */
  halves(text) {
    const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
    return Float64Array.from({ length: bytes.length / 2 }, (_, n) => {
      const half = bytes[2 * n] | (bytes[2 * n + 1] << 8);
      const [power, rest] = [(half >> 10) & 31, half & 1023];
      const size = power ? 2 ** (power - 15) * (1 + rest / 1024) : 2 ** -24 * rest;
      return half >> 15 ? -size : size;
    });
  },

  /* The arrays of a model's file: name → numbers, row after row. */
  arrays(packed) {
    const found = {};
    for (const [name, { shape, half }] of Object.entries(packed)) {
      found[name] = instruments.halves(half);
      if (found[name].length !== shape.reduce((a, b) => a * b, 1)) throw new Error(`${name} is damaged`);
    }
    return found;
  },

  /* out += v W, for W with rows of out.length numbers, from the given row on. */
  addProduct(out, v, W, start = 0) {
    v.forEach((value, row) => {
      const at = (start + row) * out.length;
      for (let n = 0; n < out.length; n++) out[n] += value * W[at + n];
    });
  },

  /* A function that fetches a model when it is first called, and gives what make(file) made of it;
     after a failure the next call tries again. The status says what happens. */
  loader(address, status, make) {
    let asked = null;
    return () => {
      asked ??= (async () => {
        if (location.protocol === "file:") {
          throw new Error("This page was opened as a file, and a browser reads no model from there. " +
                          "Open the book through a server, for instance with `make serve`.");
        }
        status.textContent = "Loading the model …";
        const answer = await fetch(address).catch(() => null);
        if (!answer?.ok) throw new Error("The model could not be loaded. Change something to try again.");
        return make(await answer.json());
      })().catch((error) => {
        asked = null;
        status.textContent = error.message;
        throw error;
      });
      return asked;
    };
  },

  /* The address of a file that lies beside the script that is running. */
  beside: (name) => ((typeof document !== "undefined" && document.currentScript?.src) || "").replace(/[^/]*$/, name),

  /* The point of a drawing under the pointer, in its own units. */
  place(svg, event) {
    const point = new DOMPoint(event.clientX, event.clientY);
    return point.matrixTransform(svg.getScreenCTM().inverse());
  },
};

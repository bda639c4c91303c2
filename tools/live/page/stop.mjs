/* Stop, while Python runs and no message arrives. The page makes an address of nothing for each run and
   takes it back to stop the run; so Python's side asks now and then whether the address still holds.
   The question stays inside of the browser, and needs no memory that is shared between the two. */

export function holds(address) {
  try {
    const request = new XMLHttpRequest();
    request.open("GET", address, false);
    request.send();
    return request.status === 200;
  } catch {
    return false;
  }
}

const ASK = 500; // milliseconds between two questions: each takes a few
const NEAR = 50, FAR = 400; // steps between two looks, where steps are long, and where short

/* Every fifty steps (jumps back, calls) Python looks into the first place of a buffer, and takes a 2
   for Ctrl+C. This stands in the buffer's place. A look costs as much as a few steps, so the next one
   is put off if the last was a moment ago; Python counts down to it in a place of its memory. */
export const stopper = {
  module: null, // Pyodide's, with Python's memory
  ask: holds,
  address: null,
  asked: 0,
  looked: 0,
  pressed: false,
  get 0() {
    const now = performance.now();
    this.next(now - this.looked < 5 ? FAR : NEAR);
    this.looked = now;
    if (this.address === null) return 0;
    if (now - this.asked > ASK) {
      this.pressed = !this.ask(this.address);
      this.asked = performance.now();
    }
    return this.pressed ? 2 : 0;
  },
  set 0(seen) {
    if (this.pressed) this.watch(null); // Python has taken note
  },
  watch(address) {
    Object.assign(this, { address: address ?? null, asked: performance.now(), pressed: false });
    if (this.module) this.next(NEAR);
  },
  next(steps) {
    const clock = this.module.__Py_emscripten_signal_clock;
    if (clock) this.module.HEAP32[clock >> 2] = steps;
  },
};

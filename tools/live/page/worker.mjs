/* Python in a worker of its own: what it does never freezes the page.
   Messages in: start, run, check. Out: status, ready, failed, text, image, html, done, checked. */

import { holds, stopper } from "./stop.mjs";

const here = new URL("./", import.meta.url).href;
const send = (kind, data = {}) => postMessage({ kind, ...data });
let session, fromPython;

/* ---------- files: from the reader's store if they are there, checked when they come anew ---------- */

async function openStore() {
  try {
    const name = "live " + here;
    for (const old of await caches.keys())
      if (old.startsWith("live ") && old !== name && sameBook(old)) await caches.delete(old);
    return await caches.open(name);
  } catch {
    return null; // storage is switched off: everything works, and comes anew next time
  }
}
const sameBook = (name) => name.replace(/[^/]*\/$/, "") === "live " + here.replace(/[^/]*\/$/, "");

async function hexSum(buffer) {
  const sum = await crypto.subtle.digest("SHA-256", buffer);
  return [...new Uint8Array(sum)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function get(file, sums, store) {
  const url = here + file;
  const kept = await store?.match(url).catch(() => null);
  if (kept) return kept.arrayBuffer();
  const answer = await plainFetch(url);
  if (!answer.ok) throw new Error(`${file}: the server answers ${answer.status}`);
  const buffer = await answer.arrayBuffer();
  if (globalThis.crypto?.subtle && (await hexSum(buffer)) !== sums[file])
    throw new Error(`${file} is not the file that this page was built with; reload the page`);
  const type = file.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
  await store?.put(url, new Response(buffer, { headers: { "Content-Type": type } })).catch(() => {});
  return buffer;
}
const plainFetch = globalThis.fetch.bind(globalThis);

/* In the middle of an import nothing can be awaited. A worker may ask in the old way. */
function getNow(file) {
  const request = new XMLHttpRequest();
  request.open("GET", here + file, false);
  request.responseType = "arraybuffer";
  request.send();
  if (request.status !== 200) throw new Error(`${file}: the server answers ${request.status}`);
  return new Uint8Array(request.response);
}

/* ---------- start ---------- */

async function start({ manifest, page, address }) {
  send("status", { text: "Loading Python…" });
  const store = await openStore();
  const waiting = Object.fromEntries(
    [
      "pyodide.asm.wasm",
      "python_stdlib.zip",
      ...manifest.core,
      ...page.archives,
      ...(manifest.kernel ? [manifest.kernel] : []),
    ].map((file) => {
      const promise = get(file, manifest.sums, store);
      promise.catch(() => {}); // reported where it is awaited
      return [file, promise];
    }),
  );
  // Pyodide asks for these two by itself: it gets what was fetched and checked above.
  globalThis.fetch = async (url, options) => {
    const file = String(url?.url ?? url).replace(here, "");
    if (!(file in waiting)) return plainFetch(url, options);
    const type = file.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
    return new Response(await waiting[file], { headers: { "Content-Type": type } });
  };
 const { loadPyodide } = await import("./pyodide.mjs");
  const py = await loadPyodide({
    indexURL: here,
    env: { HOME: "/home/pyodide", MPLBACKEND: "agg", TQDM_DISABLE: "1" },
  });
  send("status", { text: "Loading NumPy and Matplotlib…" });
 const version = py.runPython("import sys; '%d.%d' % sys.version_info[:2]");
  const site = `/lib/python${version}/site-packages`;
  for (const file of manifest.core)
    py.unpackArchive(await waiting[file], "zip", { extractDir: site });
  for (const file of page.archives)
    py.unpackArchive(await waiting[file], "zip", { extractDir: "/book" });
  py.runPython("import os; os.makedirs('/book/notebooks', exist_ok=True); os.chdir('/book/notebooks')");
  fromPython = (kind, data) => send(kind, data.toJs({ dict_converter: Object.fromEntries }));
  py.globals.set("_post", (kind, data) => {
    fromPython(kind, data);
    data.destroy();
  });
  py.globals.set("_get", getNow);
  const { packages, files, sources } = page;
  py.globals.set("_given", py.toPy({ packages, files, sources, sums: manifest.sums }));
  session = py.runPython(`
import session as _live
_session = _live.Session(lambda kind, **data: _post(kind, data))
_session.provide(**_given, fetch=lambda file: _get(file).to_bytes(), site=${JSON.stringify(site)})
_session`);
  send("status", { text: "Starting…" });
  let slow = !manifest.kernel;
  if (manifest.kernel) {
    try {
      py.FS.writeFile("/home/pyodide/matmul.so", new Uint8Array(await waiting[manifest.kernel]));
      slow = !py.runPython("import fast_matmul; fast_matmul.install('/home/pyodide/matmul.so')");
    } catch (error) {
      console.warn("the fast matrix products do not work here:", error.message);
      slow = true;
    }
  }
 session.begin();
  const stops = Boolean(address) && holds(address);
  if (stops) py.setInterruptBuffer(Object.assign(stopper, { module: py._module }));
  const release = py.runPython("sys.version.split()[0]");
  send("ready", { version: release, slow, stored: store !== null, stops });
}

self.onmessage = ({ data }) => {
  if (data.kind === "start") {
    start(data).catch((error) => send("failed", { text: String(error?.message ?? error) }));
  } else if (data.kind === "run") {
    const begin = performance.now();
    let ok = false;
    stopper.watch(data.address);
    try {
      ok = session.run(data.source, data.name);
    } catch (error) {
      // Stop may come when the cell is through already.
      if (error.type !== "KeyboardInterrupt") {
        send("text", { stream: "stderr", text: `Python itself has stopped: ${error.message}\n` });
        send("failed", { text: "an error that it could not catch" });
      }
    }
    stopper.watch(null);
    send("done", { ok, seconds: (performance.now() - begin) / 1000 });
  } else if (data.kind === "check") {
    const solutions = data.solutions;
    stopper.watch(data.address);
    try {
      const found = session.check(data.source, solutions);
      const { right, lines } = found.toJs({ dict_converter: Object.fromEntries });
      send("checked", { right: right ?? null, lines });
    } catch (error) {
      const stopped = error.type === "KeyboardInterrupt";
      const line = stopped ? "The check was stopped." : `The check could not run: ${error.message}`;
      send("checked", { right: null, lines: [line] });
    }
    stopper.watch(null);
  }
};

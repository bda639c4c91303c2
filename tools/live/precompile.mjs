/* node precompile.mjs PYODIDE WORK: run precompile.py in Pyodide on WORK/in, into WORK/out. */
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [pyodide, work] = process.argv.slice(2);
const { loadPyodide } = await import(pathToFileURL(`${pyodide}/pyodide.mjs`).href);
const py = await loadPyodide({ indexURL: pyodide });
py.FS.mkdir("/work");
py.FS.mount(py.FS.filesystems.NODEFS, { root: work }, "/work");
py.runPython(readFileSync(new URL("precompile.py", import.meta.url), "utf-8"));
py.runPython("main()");

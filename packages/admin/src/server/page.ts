import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { IncomingMessage } from "node:http";
import { join } from "node:path";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import { type Answer, accepts } from "./answer.js";

/** The files of the live page by their paths. No other file is ever read. */
const files: ReadonlyMap<string, { readonly name: string; readonly type: string }> = new Map([
  ["/", { name: "index.html", type: "text/html; charset=utf-8" }],
  ["/index.html", { name: "index.html", type: "text/html; charset=utf-8" }],
  ["/page.js", { name: "page.js", type: "text/javascript; charset=utf-8" }],
  ["/page.css", { name: "page.css", type: "text/css; charset=utf-8" }],
  ["/icon.svg", { name: "icon.svg", type: "image/svg+xml" }],
  ["/favicon.ico", { name: "favicon.ico", type: "image/x-icon" }],
]);

/** The live page. */
export interface Page {
  /** Whether `path` is one of its paths, whether the file exists or not. */
  has(path: string): boolean;
  /** The answer to a GET or HEAD of one of its paths; undefined if the folder has no such file. @throws if it cannot be read */
  answer(path: string, request: IncomingMessage): Promise<Answer | undefined>;
}

interface PageFile {
  readonly type: string;
  readonly encodings: readonly { readonly name: string; readonly etag: string; readonly body: Buffer }[];
}

/**
 * Serves the page in `folder`. A file is read and compressed at its first request and then kept: changes of it are not
 * seen. Browsers keep it as well, and ask each time whether it is still the same.
 */
export function createPage(folder: string): Page {
  const loaded = new Map<string, Promise<PageFile | undefined>>();
  const load = (name: string, type: string): Promise<PageFile | undefined> => {
    const known = loaded.get(name);
    if (known) return known;
    const loading = loadFile(join(folder, name), type);
    loaded.set(name, loading);
    // What failed is tried again.
    loading.catch(() => loaded.delete(name));
    return loading;
  };
  return {
    has: path => files.has(path),
    async answer(path, request) {
      const known = files.get(path);
      const file = known && (await load(known.name, known.type));
      return file && answerWith(file, request);
    },
  };
}

async function loadFile(path: string, type: string): Promise<PageFile | undefined> {
  const body = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (body === undefined) return undefined;
  const etag = createHash("sha256").update(body).digest("base64url").slice(0, 22);
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY } };
  const [brotli, zipped] = await Promise.all([
    promisify(brotliCompress)(body, quality),
    promisify(gzip)(body, { level: constants.Z_BEST_COMPRESSION }),
  ]);
  const encodings = [
    { name: "br", etag: `"${etag}-br"`, body: brotli },
    { name: "gzip", etag: `"${etag}-gz"`, body: zipped },
  ];
  return {
    type,
    encodings: [
      ...encodings.filter(encoding => encoding.body.length < body.length),
      { name: "identity", etag: `"${etag}"`, body },
    ],
  };
}

function answerWith({ type, encodings }: PageFile, request: IncomingMessage): Answer {
  const accepted = request.headers["accept-encoding"];
  const chosen = encodings.find(({ name }) => name === "identity" || accepts(accepted, name));
  if (chosen === undefined) throw new Error("unreachable: the identity is always accepted");
  const headers = {
    "Cache-Control": "no-cache",
    ETag: chosen.etag,
    Vary: "Accept-Encoding",
    ...(chosen.name === "identity" ? {} : { "Content-Encoding": chosen.name }),
  };
  const unchanged = isKnown(request.headers["if-none-match"], chosen.etag);
  const body = unchanged ? "" : chosen.body;
  return { status: unchanged ? 304 : 200, type, body, headers, compress: false };
}

function isKnown(header: string | undefined, etag: string): boolean {
  const known = (header ?? "").split(",").map(one => one.trim().replace(/^W\//, ""));
  return known.includes(etag) || known.includes("*");
}

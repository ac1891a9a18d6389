import { cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageFolder } from "./script.js";

/** This package as it is installed, with another binary or none. `await using` removes it. */
export interface Copy extends AsyncDisposable {
  readonly folder: string;
  /** The path from which its binary is loaded. */
  readonly binary: string;
}

/** @param content of the binary; it has none where this is undefined */
export async function copyPackage(content?: Uint8Array): Promise<Copy> {
  const root = await mkdtemp(join(tmpdir(), "gw-splice-"));
  const folder = join(root, "node_modules/@gw/splice");
  const binary = join(folder, "prebuilt", `${process.platform}-${process.arch}.node`);
  await mkdir(join(folder, "prebuilt"), { recursive: true });
  for (const part of ["package.json", "dist", "build.mjs", "native"])
    await cp(join(packageFolder, part), join(folder, part), { recursive: true });
  for (const name of ["@gw/interface", "@gw/compliance", "node-api-headers"])
    await symlink(
      await realpath(join(packageFolder, "node_modules", name)),
      join(root, "node_modules", name),
    );
  if (content) await writeFile(binary, content);
  return { folder, binary, [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }) };
}

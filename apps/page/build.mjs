import { fileURLToPath } from "node:url";
import { build as buildWithVite } from "vite";

/**
 * Builds the page into `folder`: one page, one script, one style sheet and one icon. Their names stay the same, so that the
 * admin server can list them.
 */
export async function build(folder) {
  await buildWithVite({
    configFile: false,
    root: fileURLToPath(new URL(".", import.meta.url)),
    base: "./",
    logLevel: "warn",
    build: {
      outDir: folder,
      emptyOutDir: true,
      target: "es2022",
      modulePreload: false,
      reportCompressedSize: false,
      cssCodeSplit: false,
      // The content security policy forbids data: addresses.
      assetsInlineLimit: 0,
      rolldownOptions: {
        output: { entryFileNames: "page.js", assetFileNames: "page[extname]", codeSplitting: false },
      },
    },
  });
}

import type { GatewayError, Observer } from "@gw/interface";

/** Waits until each of `count` sources has told something, through the observer that is returned. */
export function firstOutcomes(
  observer: Observer,
  count: number,
): { readonly observer: Observer; readonly settled: Promise<void> } {
  const told = new Set<string>();
  let resolve = (): void => {};
  let reject = (_: GatewayError): void => {};
  const settled = new Promise<void>((...outcomes) => {
    [resolve, reject] = outcomes;
  });
  // Whoever does not wait for it has no use for the rejection either.
  settled.catch(() => {});
  const tell = (source: string): void => {
    told.add(source);
    if (told.size >= count) resolve();
  };
  if (count === 0) resolve();
  return {
    settled,
    observer: {
      ...observer,
      discovered(event) {
        observer.discovered?.(event);
        tell(event.source);
      },
      discoveryFailed(event) {
        if (event.error.code.startsWith("invalid-")) reject(event.error);
        observer.discoveryFailed?.(event);
        if (event.source !== "validation") tell(event.source);
      },
    },
  };
}

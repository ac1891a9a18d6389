/** What is disposed of together, the newest first; Node 20 has no `AsyncDisposableStack`. */
export class OpenResources implements AsyncDisposable {
  readonly #open: (() => PromiseLike<void>)[] = [];

  use<Resource extends AsyncDisposable>(resource: Resource): Resource {
    this.defer(async () => resource[Symbol.asyncDispose]());
    return resource;
  }

  defer(dispose: () => Promise<void>): void {
    this.#open.push(dispose);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const dispose of this.#open.splice(0).reverse()) await dispose();
  }
}

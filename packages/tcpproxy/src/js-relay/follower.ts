import type { Socket } from "node:net";

/** What happens to a socket is told to its follower, of which it has one at a time. */
export interface Follower {
  /** The dial succeeded. */
  onConnect?(): void;
  /**
   * Bytes were read into the shared input; they must be taken before this returns.
   *
   * @returns whether to go on reading; otherwise until `resume` is called
   */
  onInput(length: number): boolean;
  /** Bytes were read into memory of their own. Returns the same. */
  onChunk(chunk: Buffer): boolean;
  /** The peer has ended its output. */
  onEnd(): void;
  /** The socket failed; `onClose` follows. */
  onError(error: Error): void;
  /** The socket is closed. */
  onClose(): void;
}

const follower: unique symbol = Symbol("follower");

interface FollowedSocket extends Socket {
  [follower]?: Follower | undefined;
}

/** Who is told of `socket` from now on. What happens while nobody follows is lost. */
export function setFollower(socket: FollowedSocket, next: Follower | undefined): void {
  socket[follower] = next;
}

// One set of functions for all sockets: what belongs to a connection is found through the socket.

/** Once for each socket; {@link setFollower} says who is told. */
export function listenTo(socket: Socket): void {
  socket.on("connect", onConnect).on("end", onEnd).on("error", onError).on("close", onClose);
}

/** The callback of a socket that reads into a buffer of ours (the option `onread` of node:net). */
export function onRead(this: FollowedSocket, length: number): boolean {
  return this[follower]?.onInput(length) ?? true;
}

/** For the event `data` of a socket that reads as streams do. */
export function onData(this: FollowedSocket, chunk: Buffer): void {
  if (this[follower]?.onChunk(chunk) === false) this.pause();
}

function onConnect(this: FollowedSocket): void {
  this[follower]?.onConnect?.();
}

function onEnd(this: FollowedSocket): void {
  this[follower]?.onEnd();
}

function onError(this: FollowedSocket, error: Error): void {
  this[follower]?.onError(error);
}

function onClose(this: FollowedSocket): void {
  this[follower]?.onClose();
}

import type { Address } from "@gw/interface";

/** A way to one server that carries whole messages, over UDP or TCP. */
export interface Channel {
  /** Sends a query; until the channel is open it waits. */
  send(query: Buffer): void;
  /** Releases what the channel holds. */
  close(): void;
}

/** What a channel reports, never before the function that opens it has returned. */
interface ChannelEvents {
  onMessage(message: Buffer): void;
  /** The channel is of no use any more. It has to be closed all the same. */
  onFailure(error: unknown): void;
}

export type OpenChannel = (server: Address, events: ChannelEvents) => Channel;

/**
 * What bounds the admin server. None of them depends on clients: together they bound its memory to about
 * {@link maxConnections} answers, and {@link maxStreams} status texts with {@link maxStreamBuffer} each.
 */

/** Connections that may be open at a time, on all its addresses together; more are closed at once. */
export const maxConnections = 64;

/** Bytes of the request line and all headers; longer ones are answered with 431. */
export const maxHeaderSize: number = 8 * 1024;

/** Headers of a request; more are answered with 431. */
export const maxHeaders = 64;

/** Characters of a path with its query; longer ones are answered with 414. */
export const maxTargetLength = 2048;

/** Bytes of the body of a request; larger ones are answered with 413. No route reads its body. */
export const maxBody = 1024;

/** Requests of one connection that are answered or wait for an answer; a client that sends more is disconnected. */
export const maxPipelined = 8;

/** Until all headers of a request must have arrived, in ms, from the first byte or from the accept. */
export const headersTimeoutMs = 5_000;

/** Until a whole request must have arrived, in ms. */
export const requestTimeoutMs = 10_000;

/** How long a connection may be idle between two requests, in ms. */
export const keepAliveTimeoutMs = 5_000;

/** How often the two timeouts of requests are checked, in ms. */
export const timeoutCheckMs = 1_000;

/** Until a client must have taken a whole answer, in ms; then its connection is reset. Streams have {@link streamStallMs}. */
export const answerTimeoutMs = 30_000;

/** Until a health check that an operator asked for must have ended, in ms. */
export const checkTimeoutMs = 30_000;

/** Such checks at a time. */
export const maxChecks = 8;

/** Streams (`GET /stream`) at a time. */
export const maxStreams = 16;

/** Between two status messages of a stream, in ms. */
export const statusIntervalMs = 1_000;

/** The newest events that a stream begins with. */
export const firstEvents = 100;

/** Bytes that may wait for a client of a stream in addition to one status; with more of them it is closed. */
export const maxStreamBuffer: number = 256 * 1024;

/** How long a client of a stream may leave bytes waiting, in ms; then it is closed. */
export const streamStallMs = 10_000;

/** Answers from this size on are compressed for clients that accept it, in bytes. */
export const compressFrom: number = 4 * 1024;

/** Between two reports of the same error, in ms. */
export const reportIntervalMs = 10_000;

/** Different errors that are reported in that time. */
export const maxReports = 10;

/** How long answers may take that are being sent when the server is closed, in ms. */
export const closeGraceMs = 500;

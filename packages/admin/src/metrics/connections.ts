import { type EndpointCounts, endReasons } from "../totals/endpoints.js";
import { addHistogram, type Family } from "./family.js";

/** Clients and their connections. */
export const connectionFamilies: readonly Family[] = [
  {
    name: "gw_connections",
    type: "gauge",
    help: "Clients whose connections are open or being made",
    collect: ({ status }, add) => add(status.connections.open),
  },
  {
    name: "gw_connections_limit",
    type: "gauge",
    help: "Clients that gw serves at once; absent without a limit",
    collect: ({ status }, add) => add(status.connections.limit),
  },
  {
    name: "gw_connections_accepted_total",
    type: "counter",
    help: "Clients that were accepted",
    collect: ({ status }, add) => add(status.connections.accepted),
  },
  {
    name: "gw_connections_refused_total",
    type: "counter",
    help: "Clients that were reset because the connection limit was reached",
    collect: ({ status }, add) => add(status.connections.refused),
  },
  {
    name: "gw_connections_unserved_total",
    type: "counter",
    help: "Clients that were closed because no endpoint could serve them, or that left before",
    collect: ({ status }, add) => add(status.connections.unserved),
  },
  {
    name: "gw_accept_failures_total",
    type: "counter",
    help: "Errors of listening sockets",
    collect: ({ totals }, add) => add(totals.acceptFailures),
  },
  ofEach(
    "gw_connections_connected_total",
    "Clients that were connected to the endpoint",
    one => one.connected,
  ),
  {
    name: "gw_connections_closed_total",
    type: "counter",
    help: "Connections that ended, by the reason of the log",
    labels: ["endpoint", "reason"],
    collect({ counts }, add) {
      for (const [endpoint, { closed }] of counts)
        for (const [index, reason] of endReasons.entries()) add(closed[index], [endpoint, reason]);
    },
  },
  ofEach(
    "gw_received_bytes_total",
    "Bytes received from clients for the endpoint",
    one => one.bytesFromClient,
  ),
  ofEach("gw_sent_bytes_total", "Bytes received from the endpoint for clients", one => one.bytesFromBackend),
  ofEach(
    "gw_stalls_total",
    "Clients that began to wait for longer than the stall timeout",
    one => one.stalls,
  ),
  ofEach("gw_dial_failures_total", "Dials to the endpoint that failed", one => one.dialFailures),
  {
    name: "gw_dial_errors_total",
    type: "counter",
    help: "Dials that failed, by the code of the error",
    labels: ["code"],
    collect({ totals }, add) {
      for (const { labels, count } of totals.dialErrors.entries()) add(count, labels);
    },
  },
  {
    name: "gw_dial_duration_seconds",
    type: "histogram",
    help: "From the accept of a client to its connection to an endpoint",
    collect: ({ totals }, add) => addHistogram(add, totals.dials),
  },
  {
    name: "gw_endpoint_dial_duration_seconds",
    type: "summary",
    help: "The same for each endpoint, as a sum and a count",
    labels: ["endpoint"],
    collect({ counts }, add) {
      for (const [endpoint, { dialMsSum, connected }] of counts) {
        add(dialMsSum / 1_000, [endpoint], "_sum");
        add(connected, [endpoint], "_count");
      }
    },
  },
  {
    name: "gw_abandoned_wait_seconds",
    type: "histogram",
    help: "For how long clients that left without an answer had waited for it",
    collect: ({ totals }, add) => addHistogram(add, totals.abandonedWaits),
  },
  {
    name: "gw_connections_drained_total",
    type: "counter",
    help: "Connections closed because their endpoint was removed or marked down, by the code of the error",
    labels: ["code"],
    collect({ totals }, add) {
      for (const { labels, count } of totals.closing.entries()) add(count, labels);
    },
  },
  {
    name: "gw_connections_recycled_total",
    type: "counter",
    help: "Connections closed so that clients reconnect: because of age, balance or policy",
    labels: ["cause"],
    collect({ totals }, add) {
      for (const { labels, count } of totals.recycled.entries()) add(count, labels);
    },
  },
];

function ofEach(name: string, help: string, value: (counts: EndpointCounts) => number): Family {
  return {
    name,
    type: "counter",
    help,
    labels: ["endpoint"],
    collect({ counts }, add) {
      for (const [endpoint, one] of counts) add(value(one), [endpoint]);
    },
  };
}

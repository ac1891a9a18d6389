import type { Family } from "./family.js";
import { timestamp } from "./time.js";

/** The process, its limits, and where its endpoints come from. */
export const gatewayFamilies: readonly Family[] = [
  {
    name: "gw_build_info",
    type: "info",
    help: "The version of gw and of Node",
    labels: ["version", "node"],
    collect: ({ status: { gateway } }, add) => add(1, [gateway.version, gateway.node]),
  },
  {
    name: "gw_relay_info",
    type: "info",
    help: "The relay and the selector in use",
    labels: ["relay", "selector"],
    collect: ({ status: { gateway } }, add) => add(1, [gateway.relay, gateway.selector]),
  },
  {
    name: "gw_ready",
    type: "gauge",
    help: "1 if gw listens and at least one endpoint is up",
    collect: ({ status }, add) => add(Number(status.ready)),
  },
  {
    name: "gw_draining",
    type: "gauge",
    help: "1 if gw has stopped to accept clients",
    collect: ({ status }, add) => add(Number(status.gateway.state === "draining")),
  },
  {
    name: "process_start_time_seconds",
    type: "gauge",
    help: "When gw was started, in seconds since 1970 (UTC)",
    collect: ({ status }, add) => add(timestamp(status.gateway.startedAt)),
  },
  {
    name: "process_cpu_seconds_total",
    type: "counter",
    help: "CPU time of gw, user and system",
    collect: ({ status }, add) => add(status.process.cpuSeconds),
  },
  {
    name: "process_resident_memory_bytes",
    type: "gauge",
    help: "Memory of gw that is in RAM",
    collect: ({ status }, add) => add(status.process.rssBytes),
  },
  {
    name: "gw_heap_used_bytes",
    type: "gauge",
    help: "Memory of JavaScript objects",
    collect: ({ status }, add) => add(status.process.heapBytes),
  },
  {
    name: "process_open_fds",
    type: "gauge",
    help: "Open file descriptors",
    collect: ({ status }, add) => add(status.process.openDescriptors),
  },
  {
    name: "process_max_fds",
    type: "gauge",
    help: "File descriptors that gw may open",
    collect: ({ status }, add) => add(status.process.maxDescriptors),
  },
  {
    name: "gw_event_loop_delay_seconds",
    type: "gauge",
    help: "The longest delay of the event loop in the last ten seconds",
    collect: ({ status }, add) => add(status.process.eventLoopDelayMs / 1_000),
  },
  {
    name: "gw_events_recorded_total",
    type: "counter",
    help: "Decisions that were recorded for /events",
    collect: ({ eventsRecorded }, add) => add(eventsRecorded),
  },
  {
    name: "gw_discovery_endpoints",
    type: "gauge",
    help: "Endpoints of the last set of a source",
    labels: ["source"],
    collect({ status }, add) {
      for (const { source, endpoints } of status.discovery) add(endpoints, [source]);
    },
  },
  {
    name: "gw_discovery_failing",
    type: "gauge",
    help: "1 if the source cannot be read now; its last set stays in force",
    labels: ["source"],
    collect({ status }, add) {
      for (const { source, failedSince } of status.discovery)
        add(Number(failedSince !== undefined), [source]);
    },
  },
  {
    name: "gw_discovery_failures_total",
    type: "counter",
    help: "Failures of a source: counted once until it can be read or fails for another reason",
    labels: ["source"],
    collect({ status, totals }, add) {
      for (const { source, failures } of status.discovery)
        add(Math.max(failures, totals.source(source).failures), [source]);
    },
  },
  {
    name: "gw_discovery_changes_total",
    type: "counter",
    help: "Sets of a source that differ from the one before",
    labels: ["source"],
    collect({ status, totals }, add) {
      for (const { source } of status.discovery) add(totals.source(source).changes, [source]);
    },
  },
  {
    name: "gw_discovery_last_success_timestamp_seconds",
    type: "gauge",
    help: "When the source could last be read, in seconds since 1970 (UTC)",
    labels: ["source"],
    collect({ status }, add) {
      for (const { source, lastRead } of status.discovery) add(timestamp(lastRead), [source]);
    },
  },
  {
    name: "gw_discovery_last_change_timestamp_seconds",
    type: "gauge",
    help: "When the set of a source last changed, in seconds since 1970 (UTC)",
    labels: ["source"],
    collect({ status, totals }, add) {
      for (const { source, lastChange } of status.discovery) {
        const changedAt = totals.source(source).lastChangeAt;
        add(timestamp(lastChange) ?? (changedAt === undefined ? undefined : changedAt / 1_000), [source]);
      }
    },
  },
];

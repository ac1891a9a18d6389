import { addHistogram, type Family } from "./family.js";

/** Health checks and the decisions that follow from failures. */
export const healthFamilies: readonly Family[] = [
  {
    name: "gw_failovers_total",
    type: "counter",
    help: "Failures or changes of priority after which new connections go to another endpoint",
    collect: ({ totals }, add) => add(totals.failovers),
  },
  {
    name: "gw_endpoint_marked_down_total",
    type: "counter",
    help: "How often the endpoint was marked down",
    labels: ["endpoint"],
    collect({ counts }, add) {
      for (const [endpoint, { markedDown }] of counts) add(markedDown, [endpoint]);
    },
  },
  {
    name: "gw_endpoint_retry_failures_total",
    type: "counter",
    help: "How often the endpoint was tried again while it was down, and failed",
    labels: ["endpoint"],
    collect({ counts }, add) {
      for (const [endpoint, { failedRetries }] of counts) add(failedRetries, [endpoint]);
    },
  },
  {
    name: "gw_panic",
    type: "gauge",
    help: "1 while endpoints are used in spite of their failures, for this cause",
    labels: ["cause"],
    collect({ status, totals }, add) {
      for (const { labels } of totals.panics.entries())
        add(Number(status.panic?.cause === labels[0]), labels);
    },
  },
  {
    name: "gw_panics_total",
    type: "counter",
    help: "How often a panic began, or its cause changed to this one",
    labels: ["cause"],
    collect({ totals }, add) {
      for (const { labels, count } of totals.panics.entries()) add(count, labels);
    },
  },
  {
    name: "gw_selector_failures_total",
    type: "counter",
    help: "Invalid choices and exceptions of the selector",
    collect: ({ totals }, add) => add(totals.selectorFailures),
  },
  {
    name: "gw_health_check_available",
    type: "gauge",
    help: "1 if health checks of this type can be made",
    labels: ["type"],
    collect: ({ status: { health } }, add) => add(Number(health.available), [health.type]),
  },
  {
    name: "gw_health_checks_total",
    type: "counter",
    help: "Health checks by type, depth and result",
    labels: ["check", "depth", "result"],
    collect({ totals }, add) {
      for (const { labels, count } of totals.checks.entries()) add(count, labels);
    },
  },
  {
    name: "gw_endpoint_health_check_failures_total",
    type: "counter",
    help: "Health checks of the endpoint that failed",
    labels: ["endpoint"],
    collect({ counts }, add) {
      for (const [endpoint, { failedChecks }] of counts) add(failedChecks, [endpoint]);
    },
  },
  {
    name: "gw_health_check_duration_seconds",
    type: "histogram",
    help: "How long health checks took",
    labels: ["depth"],
    collect({ totals }, add) {
      for (const depth of ["regular", "deep"] as const)
        addHistogram(add, totals.checkDurations[depth], [depth]);
    },
  },
  {
    name: "gw_cluster_info",
    type: "info",
    help: "The cluster whose members are used",
    labels: ["cluster_id"],
    collect({ status }, add) {
      if (status.identity.clusterId !== undefined) add(1, [status.identity.clusterId]);
    },
  },
  {
    name: "gw_cluster_id_mismatches",
    type: "gauge",
    help: "Endpoints that are not used because they belong to another cluster",
    collect: ({ status }, add) => add(status.identity.foreign.length),
  },
  {
    name: "gw_cluster_id_mismatches_found_total",
    type: "counter",
    help: "How often an endpoint was found to belong to another cluster",
    collect: ({ totals }, add) => add(totals.clusterMismatches),
  },
  {
    name: "gw_cluster_changes_total",
    type: "counter",
    help: "How often another cluster was accepted instead of the one before",
    collect: ({ totals }, add) => add(totals.clusterChanges),
  },
];

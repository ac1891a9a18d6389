/** `prometheus` is the text format 0.0.4, `openmetrics` is OpenMetrics 1.0. */
export type MetricsFormat = "prometheus" | "openmetrics";

/** The value of the header `Content-Type`. */
export const metricsContentTypes: { readonly [format in MetricsFormat]: string } = {
  prometheus: "text/plain; version=0.0.4; charset=utf-8",
  openmetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8",
};

/** Longer label values are cut, in characters. */
const maxLabelLength = 128;

export interface FamilyHead {
  /** As in the samples: with `_total` for a counter, `_info` for an info. */
  readonly name: string;
  /** An `info` has the value 1, and says something in its labels. A `summary` has a sum and a count only. */
  readonly type: "counter" | "gauge" | "histogram" | "summary" | "info";
  /** One sentence without a full stop. */
  readonly help: string;
  readonly labels?: readonly string[];
}

/** Adds a sample; `labels` are values in the order of the family's names. */
export type AddSample = (
  value: number | undefined,
  labels?: readonly (string | number | boolean)[],
  suffix?: "_bucket" | "_sum" | "_count",
  bucketLimit?: number,
) => void;

export interface MetricsWriter {
  /** Writes a family; nothing if `collect` adds no sample. Samples without a value are left out. */
  family(head: FamilyHead, collect: (add: AddSample) => void): void;
  /** The whole text. */
  end(): string;
}

export function createMetricsWriter(format: MetricsFormat): MetricsWriter {
  const isOpen = format === "openmetrics";
  const lines: string[] = [];

  return {
    family({ name, type, help, labels: names = [] }, collect) {
      const family = isOpen ? name.replace(suffixOf(type), "") : name;
      const start = lines.length;
      lines.push(`# HELP ${family} ${isOpen ? escapeLabel(help) : escapeHelp(help)}`);
      lines.push(`# TYPE ${family} ${type === "info" && !isOpen ? "gauge" : type}`);
      collect((value, values = [], suffix = undefined, bucketLimit = undefined) => {
        if (value === undefined) return;
        let labels = "";
        for (const [index, label] of names.entries())
          labels += `${labels && ","}${label}="${escapeLabel(String(values[index] ?? ""))}"`;
        if (bucketLimit !== undefined) labels += `${labels && ","}le="${formatLimit(bucketLimit)}"`;
        lines.push(`${name}${suffix ?? ""}${labels && `{${labels}}`} ${formatNumber(value)}`);
      });
      if (lines.length === start + 2) lines.length = start;
    },
    end: () => `${lines.join("\n")}\n${isOpen ? "# EOF\n" : ""}`,
  };
}

function suffixOf(type: FamilyHead["type"]): string {
  if (type === "counter") return "_total";
  return type === "info" ? "_info" : "";
}

/** Control characters are replaced: a label may come from DNS or from a member. */
function escapeLabel(text: string): string {
  if (/^[\w .:/[\]-]*$/.test(text) && text.length <= maxLabelLength) return text;
  return (
    Array.from(text)
      .slice(0, maxLabelLength)
      .join("")
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
      .replace(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028\u2029]/g, "?")
      .replace(/\p{Surrogate}/gu, "?")
      .replace(/[\\"]/g, "\\$&")
      .replace(/\n/g, "\\n")
  );
}

function escapeHelp(text: string): string {
  return text.replace(/\\/g, "\\\\").replace(/\n/g, "\\n");
}

/** OpenMetrics demands a float, so that a limit is the same text in both formats. */
function formatLimit(limit: number): string {
  if (limit === Infinity) return "+Inf";
  return Number.isInteger(limit) ? `${limit}.0` : String(limit);
}

function formatNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  if (value === -Infinity) return "-Inf";
  return Number.isNaN(value) ? "NaN" : String(value);
}

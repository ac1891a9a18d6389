import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { formatTime } from "../model/format.js";
import type { Sample } from "../model/history.js";
import type { ChartContent, Series } from "./chart-content.js";
import { createPlot } from "./plot.js";

interface Props extends ChartContent {
  readonly samples: readonly Sample[];
  readonly now: number;
}

/** A chart with its legend, and the same values as a table for those who do not see it. */
export function Chart({ samples, now, ...content }: Props): JSX.Element {
  const { title, series, note } = content;
  const container = useRef<HTMLDivElement>(null);
  const plot = useRef<{ readonly update: (samples: readonly Sample[]) => void }>(null);
  const [open, setOpen] = useState(false);
  useEffect(() => {
    if (!container.current) return;
    const created = createPlot(container.current, content);
    plot.current = created;
    return () => created.destroy();
    // What a chart shows never changes, only its samples.
  }, []);
  useEffect(() => plot.current?.update(samples), [samples]);
  return (
    <figure>
      <figcaption>
        <h3>{title}</h3>
        <ul class="legend">
          {series.map(({ label, value, format }, index) => {
            const values = samples.flatMap(sample => value(sample) ?? []);
            const latest = values.at(-1);
            return (
              <li key={label}>
                <span class={`swatch series-${index + 1}`} aria-hidden="true" /> {label}{" "}
                <strong>{latest === undefined ? "no value" : format(latest)}</strong>
                {values.length > 0 && <span class="most"> highest {format(Math.max(...values))}</span>}
              </li>
            );
          })}
        </ul>
      </figcaption>
      <div
        class="plot"
        ref={container}
        role="img"
        aria-label={`Line chart: ${title}. Its values are in the table below.`}
      />
      {note && <p class="hint">{note}</p>}
      <details onToggle={event => setOpen(event.currentTarget.open)}>
        <summary>
          Values<span class="visually-hidden"> of {title}</span> as a table
        </summary>
        {open && <Values series={series} samples={samples} now={now} title={title} />}
      </details>
    </figure>
  );
}

/** Rows of the table, and samples from one row to the next. */
const rows = 12;
const step = 5;

interface ValuesProps extends Pick<Props, "samples" | "now" | "title"> {
  readonly series: readonly Series[];
}

function Values({ series, samples, now, title }: ValuesProps): JSX.Element {
  const picked = samples
    .filter(({ open }) => open !== null)
    .toReversed()
    .filter((_, index) => index % step === 0)
    .slice(0, rows);
  return (
    <table class="values">
      <caption class="visually-hidden">{title}, newest first</caption>
      <thead>
        <tr>
          <th scope="col">Time</th>
          {series.map(({ label }) => (
            <th key={label} scope="col">
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {picked.map(sample => (
          <tr key={sample.at}>
            <th scope="row">{formatTime(sample.at, now)}</th>
            {series.map(({ label, value, format }) => {
              const one = value(sample);
              return <td key={label}>{one === null ? "–" : format(one)}</td>;
            })}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

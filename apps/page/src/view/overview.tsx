import type { Status } from "@gw/admin";
import type { ComponentChildren, JSX } from "preact";
import { formatDuration, formatNumber, plural } from "../model/format.js";
import { summarize } from "../model/summary.js";
import { When } from "./when.js";

const symbols = { good: "✓", warning: "!", bad: "✕" } as const;

/** The state of all in one sentence, and the numbers that say most. */
export function Overview({ status, now }: { readonly status: Status; readonly now: number }): JSX.Element {
  const { level, text, details } = summarize(status);
  const { connections, lastFailover, inUse, inUseSince } = status;
  return (
    <section aria-labelledby="overview">
      <h2 id="overview">Overview</h2>
      <div class={`summary ${level}`}>
        <p class="verdict">
          <span class="symbol" aria-hidden="true">
            {symbols[level]}
          </span>{" "}
          {text}
        </p>
        {details.length > 0 && (
          <ul>
            {details.map(detail => (
              <li key={detail}>{detail}</li>
            ))}
          </ul>
        )}
      </div>
      <dl class="tiles">
        <Tile name="Endpoint in use" value={inUse ?? "none yet"}>
          {inUse === undefined ? (
            "no client has connected"
          ) : inUseSince ? (
            <>
              since <When at={inUseSince} now={now} />
            </>
          ) : (
            "of the newest connection"
          )}
        </Tile>
        <Tile name="Connections" value={formatNumber(connections.open)}>
          {formatNumber(connections.accepted)} accepted, {formatNumber(connections.unserved)} unserved
          {connections.refused > 0 && `, ${formatNumber(connections.refused)} refused`}
        </Tile>
        <Tile name="Waiting clients" value={formatNumber(connections.waiting)}>
          {connections.waiting > 0
            ? `for up to ${formatDuration(connections.longestWaitMs)}`
            : `of ${plural(connections.open, "connection")}`}
        </Tile>
        <Tile name="Last failover" value={lastFailover ? lastFailover.to : "none"}>
          {lastFailover ? (
            <>
              <When at={lastFailover.at} now={now} />, from {lastFailover.from}
              {lastFailover.reason && `: ${lastFailover.reason}`}
            </>
          ) : (
            "since the gateway started"
          )}
        </Tile>
      </dl>
    </section>
  );
}

interface TileProps {
  readonly name: string;
  readonly value: string;
  readonly children: ComponentChildren;
}

function Tile({ name, value, children }: TileProps): JSX.Element {
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd class="value">{value}</dd>
      <dd class="note">{children}</dd>
    </div>
  );
}

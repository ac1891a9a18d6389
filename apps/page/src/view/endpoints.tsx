import type { EndpointView, Status } from "@gw/admin";
import type { ComponentChildren, JSX } from "preact";
import { useMemo, useState } from "preact/hooks";
import { formatBytes, formatDuration, formatNumber, plural } from "../model/format.js";
import type { Rates } from "../model/history.js";
import { endpointsShown, selectEndpoints } from "../model/order.js";
import { When } from "./when.js";

interface Props {
  readonly status: Status;
  readonly rates: ReadonlyMap<string, Rates>;
  readonly now: number;
}

const columns = ["Endpoint", "State", "Member", "Last check", "Connections", "Traffic"] as const;

/** From this many endpoints on there is a filter. */
const filterFrom = 8;

/** The endpoints as a table; on a narrow screen each row is a card. */
export function Endpoints({ status, rates, now }: Props): JSX.Element {
  const [filter, setFilter] = useState("");
  const { endpoints } = status;
  const { shown, matching } = useMemo(() => selectEndpoints(endpoints, filter), [endpoints, filter]);
  return (
    <section aria-labelledby="endpoints">
      <h2 id="endpoints">Endpoints</h2>
      {(endpoints.length >= filterFrom || filter !== "") && (
        <p class="controls">
          <label>
            Filter{" "}
            <input
              type="search"
              value={filter}
              placeholder="address, state, leader…"
              onInput={event => setFilter(event.currentTarget.value.slice(0, 200))}
            />
          </label>{" "}
          <span>{count(endpoints.length, matching, shown.length, filter)}</span>
        </p>
      )}
      {endpoints.length === 0 ? (
        <p class="empty">The gateway has no endpoints. See discovery below.</p>
      ) : (
        <table class="endpoints" aria-labelledby="endpoints">
          <thead>
            <tr>
              {columns.map(column => (
                <th key={column} scope="col">
                  {column}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map(one => (
              <Row key={one.endpoint} view={one} rates={rates.get(one.endpoint)} now={now} />
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function count(all: number, matching: number, shown: number, filter: string): string {
  const found =
    filter.trim() === "" ? plural(all, "endpoint") : `${matching} of ${plural(all, "endpoint")} match`;
  return shown < matching ? `${found}; the ${endpointsShown} most important are shown.` : `${found}.`;
}

interface RowProps {
  readonly view: EndpointView;
  readonly rates: Rates | undefined;
  readonly now: number;
}

function Row({ view, rates, now }: RowProps): JSX.Element {
  const { endpoint, inUse, priority, connections, waiting, longestWaitMs, totals } = view;
  return (
    <tr class={`state-${view.state}`}>
      <th scope="row">
        <span class="address">{endpoint}</span>
        {inUse && <Badge kind="in-use">in use</Badge>}
        {priority > 0 && <Line>priority {priority}</Line>}
      </th>
      <Cell column="State">
        <StateOf view={view} now={now} />
      </Cell>
      <Cell column="Member">
        <MemberOf view={view} />
      </Cell>
      <Cell column="Last check">
        <CheckOf view={view} now={now} />
      </Cell>
      <Cell column="Connections">
        {formatNumber(connections)}
        {waiting > 0 && (
          <Line warning>
            {formatNumber(waiting)} waiting, up to {formatDuration(longestWaitMs)}
          </Line>
        )}
        {totals.dialFailures > 0 && <Line>{plural(totals.dialFailures, "failed dial")}</Line>}
      </Cell>
      <Cell column="Traffic">
        <Line>to clients {formatBytes(rates?.toClients ?? 0)}/s</Line>
        <Line>from clients {formatBytes(rates?.toEndpoint ?? 0)}/s</Line>
      </Cell>
    </tr>
  );
}

const symbols = { up: "●", down: "✕", draining: "◐", held: "❚❚", foreign: "⊘" } as const;
const holds = { drained: "drained by an operator", down: "marked down by an operator" } as const;

function StateOf({ view, now }: { readonly view: EndpointView; readonly now: number }): JSX.Element {
  const { state, hold, unhealthy, reason, since, retryAt } = view;
  return (
    <>
      <span class={`state ${state}`}>
        <span aria-hidden="true">{symbols[state]}</span> {state === "foreign" ? "other cluster" : state}
      </span>
      {state === "up" && unhealthy && <Badge kind="warning">unhealthy</Badge>}
      {hold && <Line>{holds[hold]}</Line>}
      {state !== "up" && reason && <Line>{reason}</Line>}
      <Line>
        since <When at={since} now={now} />
      </Line>
      {state === "down" && retryAt && (
        <Line>
          next try <When at={retryAt} now={now} />
        </Line>
      )}
    </>
  );
}

function MemberOf({ view: { facts, secure } }: { readonly view: EndpointView }): JSX.Element {
  const { isLeader, isLearner, raftTerm, version, roundTripMs } = facts ?? {};
  return (
    <>
      {isLeader && <Badge kind="leader">leader</Badge>}
      {isLearner && <Badge kind="learner">learner</Badge>}
      {!isLeader && !isLearner && (isLeader === false ? "follower" : <span class="unknown">not known</span>)}
      {version && <Line>etcd {version}</Line>}
      {raftTerm !== undefined && <Line>term {raftTerm}</Line>}
      {roundTripMs !== undefined && <Line>round trip {formatDuration(roundTripMs)}</Line>}
      {secure !== undefined && <Line>{secure ? "TLS" : "no TLS"}</Line>}
    </>
  );
}

function CheckOf({ view, now }: { readonly view: EndpointView; readonly now: number }): JSX.Element {
  const { check } = view;
  if (!check) return <span class="unknown">none yet</span>;
  const { healthy, reason, note, tookMs, type, at } = check;
  return (
    <>
      {healthy ? "healthy" : <Badge kind="warning">unhealthy</Badge>}
      {reason && <Line>{reason}</Line>}
      {note && <Line>{note}</Line>}
      <Line>
        {type} in {formatDuration(tookMs)}
      </Line>
      <Line>
        <When at={at} now={now} />
      </Line>
    </>
  );
}

function Cell({
  column,
  children,
}: {
  readonly column: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <td>
      <span class="column" aria-hidden="true">
        {column}
      </span>
      <div>{children}</div>
    </td>
  );
}

function Badge({
  kind,
  children,
}: {
  readonly kind: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return <span class={`badge ${kind}`}>{children}</span>;
}

interface LineProps {
  readonly warning?: boolean;
  readonly children: ComponentChildren;
}

function Line({ warning = false, children }: LineProps): JSX.Element {
  return <div class={warning ? "line warns" : "line"}>{children}</div>;
}

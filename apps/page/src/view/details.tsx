import type { EndpointView, SourceView, Status } from "@gw/admin";
import type { ComponentChildren, JSX } from "preact";
import { formatBytes, formatDuration, formatNumber, plural } from "../model/format.js";
import { When } from "./when.js";

interface Props {
  readonly status: Status;
  readonly now: number;
}

/** The cluster's identity and leader, and where the endpoints come from. */
export function Cluster({ status, now }: Props): JSX.Element {
  const { endpoints, identity, health, discovery, tiers } = status;
  const leader = endpoints.find(({ facts }) => facts?.isLeader);
  const learners = endpoints.filter(({ facts }) => facts?.isLearner);
  return (
    <section aria-labelledby="cluster">
      <h2 id="cluster">Cluster and discovery</h2>
      <div class="columns">
        <dl class="facts">
          <Fact name="Cluster ID">
            {identity.clusterId ? <code>{identity.clusterId}</code> : "not known"}
          </Fact>
          <Fact name="Leader">{leader ? memberOf(leader) : "not known"}</Fact>
          <Fact name="Learners">
            {learners.length > 0 ? few(learners.map(one => one.endpoint)) : "none known"}
          </Fact>
          {identity.foreign.length > 0 && (
            <Fact name="Of other clusters">
              {few(identity.foreign.map(one => `${one.endpoint} (cluster ${one.clusterId})`))}
            </Fact>
          )}
          {tiers.length > 1 &&
            tiers.slice(0, 10).map(tier => (
              <Fact key={tier.priority} name={`Priority ${tier.priority}`}>
                {formatNumber(tier.up)} of {formatNumber(tier.endpoints)} up{tier.inUse && ", in use"}
              </Fact>
            ))}
          <Fact name="Health checks">
            {health.type || "not known"}
            {health.type && health.type !== "off" && `, every ${formatDuration(health.intervalMs)}`}
            {!health.available &&
              health.type !== "off" &&
              `, not available${health.reason ? `: ${health.reason}` : ""}`}
          </Fact>
        </dl>
        <ul class="sources">
          {discovery.slice(0, 20).map(source => (
            <Source key={source.source} source={source} now={now} />
          ))}
        </ul>
      </div>
    </section>
  );
}

function Source({ source: view, now }: { readonly source: SourceView; readonly now: number }): JSX.Element {
  const { source, endpoints, lastRead, lastChange, failedSince, reason, failures } = view;
  return (
    <li>
      <strong>{source}</strong>: {plural(endpoints, "endpoint")}
      {lastRead && (
        <div class="line">
          last answer <When at={lastRead} now={now} />
        </div>
      )}
      {lastChange && (
        <div class="line">
          last change <When at={lastChange} now={now} />
        </div>
      )}
      {failedSince && (
        <div class="line warns">
          fails since <When at={failedSince} now={now} />
          {reason && `: ${reason}`} ({plural(failures, "failure")})
        </div>
      )}
    </li>
  );
}

/** The gateway itself: its process and its options. */
export function Gateway({ status, now }: Props): JSX.Element {
  const { gateway, process, options } = status;
  const changed = options.filter(({ from }) => from !== "default");
  return (
    <section aria-labelledby="gateway">
      <h2 id="gateway">Gateway</h2>
      <dl class="facts">
        <Fact name="Version">
          {gateway.version || "not known"}
          {gateway.node && `, Node ${gateway.node.replace(/^v/, "")}`}
          {gateway.pid > 0 && `, process ${gateway.pid}`}
        </Fact>
        <Fact name="Started">
          <When at={gateway.startedAt} now={now} />
        </Fact>
        <Fact name="Listens on">{few(gateway.listen)}</Fact>
        <Fact name="Relay">
          {gateway.relay}
          {gateway.relayThreads !== undefined && `, ${plural(gateway.relayThreads, "thread")}`}
        </Fact>
        <Fact name="Selector">{gateway.selector}</Fact>
        <Fact name="Log level">{gateway.logLevel}</Fact>
        <Fact name="Memory">{formatBytes(process.rssBytes)}</Fact>
        <Fact name="CPU time">{formatDuration(process.cpuSeconds * 1_000)}</Fact>
        <Fact name="Event loop delay">{formatDuration(process.eventLoopDelayMs)}</Fact>
        {process.openDescriptors !== undefined && (
          <Fact name="Descriptors">
            {formatNumber(process.openDescriptors)}
            {process.maxDescriptors !== undefined && ` of ${formatNumber(process.maxDescriptors)}`}
          </Fact>
        )}
      </dl>
      <Options title="Options that were given" options={changed} />
      <Options title="All options" options={options} />
    </section>
  );
}

function Options({
  title,
  options,
}: {
  readonly title: string;
  readonly options: Status["options"];
}): JSX.Element | null {
  if (options.length === 0) return null;
  return (
    <details>
      <summary>
        {title} ({options.length})
      </summary>
      <dl class="options">
        {options.map(({ flag, value, from }) => (
          <div key={flag}>
            <dt>
              <code>--{flag}</code>
            </dt>
            <dd>
              <code>{value === "" ? "(empty)" : value}</code> <span class="unknown">{from}</span>
            </dd>
          </div>
        ))}
      </dl>
    </details>
  );
}

function Fact({
  name,
  children,
}: {
  readonly name: string;
  readonly children: ComponentChildren;
}): JSX.Element {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function memberOf({ endpoint, facts }: EndpointView): string {
  const { memberId, raftTerm } = facts ?? {};
  return [endpoint, memberId && `member ${memberId}`, raftTerm !== undefined && `term ${raftTerm}`]
    .filter(Boolean)
    .join(", ");
}

/** The first ten of these. */
function few(texts: readonly string[]): string {
  const more = texts.length > 10 ? ` and ${texts.length - 10} more` : "";
  return texts.slice(0, 10).join(", ") + more;
}

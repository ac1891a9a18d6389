import type { JSX } from "preact";
import type { Shown } from "../store.js";
import { Banner } from "./banner.js";
import { Charts } from "./charts.js";
import { Cluster, Gateway } from "./details.js";
import { Endpoints } from "./endpoints.js";
import { Events } from "./events.js";
import { Overview } from "./overview.js";

/** All of the page. */
export function Page({ link, status, events, history, now, announcement }: Shown): JSX.Element {
  return (
    <>
      <a class="skip" href="#main">
        Skip to the overview
      </a>
      <header>
        <h1>
          gw <span class="subtitle">etcd gateway</span>
        </h1>
        <p class="listens">
          {status && status.gateway.listen.length > 0 && (
            <>listens on {status.gateway.listen.slice(0, 3).join(", ")}</>
          )}
          <span class={`link ${link.state}`}>
            {link.state === "live" ? "live" : link.state === "gone" ? "no answer" : "connecting"}
          </span>
        </p>
      </header>
      <main id="main" tabIndex={-1} class={link.state === "gone" ? "stale" : ""}>
        <Banner link={link} now={now} hasData={status !== undefined} />
        {status && (
          <>
            <Overview status={status} now={now} />
            <Endpoints status={status} rates={history.rates} now={now} />
            <Events events={events} now={now} />
            <Charts history={history} now={now} />
            <Cluster status={status} now={now} />
            <Gateway status={status} now={now} />
          </>
        )}
      </main>
      <footer>
        <p>
          The same as data: <a href="status">status</a>, <a href="metrics">metrics</a>,{" "}
          <a href="events">events</a>, <a href="connections">connections</a>.
        </p>
      </footer>
      <div class="visually-hidden" role="status" aria-live="polite">
        {announcement}
      </div>
    </>
  );
}

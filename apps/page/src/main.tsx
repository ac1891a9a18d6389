import { render } from "preact";
import "uplot/dist/uPlot.min.css";
import "./page.css";
import { followGateway } from "./store.js";
import { Page } from "./view/page.js";

const root = document.getElementById("page");
if (root) {
  root.textContent = "";
  // Relative, so that the page also works below a path of a reverse proxy.
  followGateway("stream", shown => render(<Page {...shown} />, root));
}

export { type JsRelayOptions, jsRelay } from "./js-relay.js";

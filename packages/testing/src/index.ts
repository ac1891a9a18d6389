/**
 * What the tests of this repository share.
 *
 * @packageDocumentation
 */
export { type Gw, type LogLine, runGw, startGw } from "./gw.js";
export { type Outcome, type Program, type ProgramOptions, runProgram, startProgram } from "./program.js";
export { findProgram, missing } from "./requirements.js";

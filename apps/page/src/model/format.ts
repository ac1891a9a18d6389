const units = ["B", "kB", "MB", "GB", "TB", "PB"];

/** `1.2 MB`: bytes by powers of ten, three digits at most. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes);
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${unit === 0 ? Math.round(value) : digits(value)} ${units[unit]}`;
}

/** `3 ms`, `1.5 s`, `2 min`, `3 h`, `4 d`. */
export function formatDuration(ms: number): string {
  if (ms < 0) return formatDuration(0);
  if (ms < 0.95) return ms === 0 ? "0 ms" : `${ms.toFixed(1)} ms`;
  if (ms < 999.5) return `${digits(ms)} ms`;
  const seconds = ms / 1_000;
  if (seconds < 59.5) return `${digits(seconds)} s`;
  if (seconds < 3_600) return `${Math.max(1, Math.floor(seconds / 60))} min`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3_600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

/** `12`, `3.4`, `12.3 k`. */
export function formatNumber(value: number): string {
  if (value < 10_000) return digits(value);
  if (value < 999_500) return `${digits(value / 1_000)} k`;
  return `${digits(value / 1_000_000)} M`;
}

/** At most three digits, and no zeros at the end. */
function digits(value: number): string {
  return String(Number(value.toFixed(value < 10 ? 1 : 0)));
}

/** `12 s ago`, `now`, `in 30 s`; whole seconds, so that texts do not flicker. */
export function formatRelative(at: number, now: number): string {
  const ms = Math.trunc((now - at) / 1_000) * 1_000;
  if (ms === 0) return "now";
  return ms > 0 ? `${formatDuration(ms)} ago` : `in ${formatDuration(-ms)}`;
}

/** `10:21:05` of the same day, else with the date. */
export function formatTime(at: number, now: number): string {
  const time = new Date(at);
  const clock = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  const day = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`;
  return time.toDateString() === new Date(now).toDateString() ? clock : `${day} ${clock}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/** `1 connection`, `2 connections`. */
export function plural(count: number, one: string, many: string = `${one}s`): string {
  return `${formatNumber(count)} ${count === 1 ? one : many}`;
}

/** Times of day as people at this machine read them. */
export interface LocalTime {
  /** `10:03:12.4`; with its date if that is another day than the one of `now`. */
  short(iso: string): string;
  /** `2026-01-02 10:03:12.4 +01:00`. */
  full(iso: string): string;
  /** `+01:00` or `UTC`, of `now`. */
  readonly offset: string;
  /** How long ago it was, or how long it takes until then: `50 s`, `3 min`. */
  distance(iso: string): string;
}

export function localTime(now: Date): LocalTime {
  const today = dateOf(now);
  return {
    short(iso) {
      const date = new Date(iso);
      if (Number.isNaN(date.getTime())) return "an unknown time";
      return dateOf(date) === today ? timeOf(date) : `${dateOf(date)} ${timeOf(date)}`;
    },
    full(iso) {
      const date = new Date(iso);
      return Number.isNaN(date.getTime())
        ? "an unknown time"
        : `${dateOf(date)} ${timeOf(date)} ${offsetOf(date)}`;
    },
    offset: offsetOf(now),
    distance: iso => spanOf(Math.abs(new Date(iso).getTime() - now.getTime())),
  };
}

/** `4 s`, `3 min`, `5 h`, `4 days`. */
export function spanOf(ms: number): string {
  if (!(ms >= 0)) return "an unknown time";
  if (ms < 10_000) return `${Math.round(ms / 100) / 10} s`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} days`;
}

function dateOf(date: Date): string {
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

function timeOf(date: Date): string {
  const seconds = `${two(date.getSeconds())}.${Math.floor(date.getMilliseconds() / 100)}`;
  return `${two(date.getHours())}:${two(date.getMinutes())}:${seconds}`;
}

function offsetOf(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  if (minutes === 0) return "UTC";
  const size = Math.abs(minutes);
  return `${minutes < 0 ? "-" : "+"}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

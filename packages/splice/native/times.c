/* What a thread looks at from time to time: timeouts, and when to look again. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <time.h>

/* Milliseconds between looks. */
enum { LEAST_TICK = 10, MOST_TICK = 1000 };
/* A sweep that is due for longer than this was held up: the process was stopped, or had no processor. Milliseconds. */
enum { PAUSE_TOLERANCE = 100 };

uint32_t clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

/* Whether `moment` has come. The clock wraps every 49 days. */
bool is_past(uint32_t now, uint32_t moment) { return (int32_t)(now - moment) >= 0; }

static bool longer_than(uint32_t now, uint32_t since, uint32_t limit) {
  return limit > 0 && now - since > limit;
}

/* Looks at times no later than `moment`. */
void look_at(struct thread *thread, uint32_t moment) {
  if (is_past(thread->sweep_at, moment)) thread->sweep_at = moment;
}

/*
 * Sees to a direction in which nothing has moved since the last sweep: whether its bytes are stuck, or an event was missed.
 * Asks the kernel once after the last byte, and again only while something is pending. False when the flow has ended.
 */
static bool check_way(struct thread *thread, struct flow *flow, int from) {
  struct way *way = &flow->way[from];
  uint32_t bytes = (uint32_t)atomic_load_explicit(&way->bytes, memory_order_relaxed);
  bool moved = bytes != way->swept_bytes, holds = holds_bytes(way);
  way->swept_bytes = bytes;
  if (moved) way->settled = false;
  if (!holds && !way->pending.exempt && (moved || way->settled)) return true;
  if (!check_pending(thread, flow, from)) return false;
  bool exists = way->pending.exists;
  uint32_t since = !holds || (exists && is_past(way->pending.since, way->stuck_since)) ? way->pending.since : way->stuck_since;
  if ((holds || exists) && longer_than(thread->now, since, flow->settings->write_timeout)) {
    flow_end(thread, flow, STALLED, 0);
    return false;
  }
  way->settled = !holds && !exists;
  /* The system says EAGAIN also for want of memory, after which no event comes. */
  if (holds) flow->side[!from].writable = true;
  if (!way->eof) flow->side[from].readable = true;
  pump(thread, flow);
  return flow->state == RELAYING;
}

static void check_times(struct thread *thread, struct flow *flow) {
  const struct settings *settings = flow->settings;
  uint32_t now = thread->now;
  if (flow->state == DIALLING && is_past(now, flow->dial_until)) {
    if (flow->race) check_race(thread, flow);
    else dial_failed(thread, flow, ETIMEDOUT);
  }
  if (flow->state != RELAYING) return;
  if (!flow->has_patience) {
    flow->has_patience = set_patience(flow->side[BACKEND].fd, settings) == 0;
  }
  if (!check_way(thread, flow, CLIENT) || !check_way(thread, flow, BACKEND)) return;
  bool half_closed = flow->way[CLIENT].eof || flow->way[BACKEND].eof;
  if (half_closed && longer_than(now, flow->active_at, settings->half_close_timeout))
    return flow_end(thread, flow, HALF_CLOSED, 0);
  if (longer_than(now, flow->active_at, settings->idle_timeout)) flow_end(thread, flow, IDLE, 0);
}

static uint32_t sooner(uint32_t tick, uint32_t timeout) {
  uint32_t part = timeout / 8 < LEAST_TICK ? LEAST_TICK : timeout / 8;
  return timeout > 0 && part < tick ? part : tick;
}

/* Input comes before timeouts: a thread that has more events to handle sweeps a little later. */
bool is_time_to_sweep(const struct thread *thread, bool has_more_events) {
  uint32_t grace = has_more_events ? PAUSE_TOLERANCE / 2 : 0;
  return has_to_sweep(thread) && is_past(thread->now, thread->sweep_at + grace);
}

/* Called before a turn's events are handled. Nobody is blamed for the time in which this process did not run: it is
 * added to all timeouts, and the input that has come meanwhile is read before the next sweep. */
void forgive_pause(struct thread *thread) {
  if (!has_to_sweep(thread) || !is_past(thread->now, thread->sweep_at + PAUSE_TOLERANCE)) return;
  uint32_t paused = thread->now - thread->sweep_at;
  for (struct flow *flow = thread->flows; flow; flow = flow->next) {
    flow->active_at += paused;
    flow->dial_until += paused;
    for (int from = CLIENT; from <= BACKEND; from++) {
      struct way *way = &flow->way[from];
      way->stuck_since += paused;
      way->pending.since += paused;
      way->pending.unanswered_since += paused;
      way->pending.probed_at += paused;
    }
    if (flow->race) extend_race(flow->race, paused);
  }
  thread->sweep_at = thread->now + LEAST_TICK;
}

bool has_to_sweep(const struct thread *thread) { return thread->flows || thread->tubes || thread->paused > 0; }

/* Looks at all flows, and says when to look again. Pipes that are not in use by then go back to the system. */
void sweep(struct thread *thread) {
  uint32_t tick = MOST_TICK;
  release_tubes(thread);
  see_to_listeners(thread);
  if (thread->paused > 0) tick = LEAST_TICK;
  for (struct flow *flow = thread->flows, *next; flow; flow = next) {
    next = flow->next;
    check_times(thread, flow);
    const struct settings *settings = flow->settings;
    tick = sooner(tick, settings->idle_timeout);
    tick = sooner(tick, settings->half_close_timeout);
    tick = sooner(tick, settings->write_timeout);
    tick = sooner(tick, settings->user_timeout);
    if (flow->state != DIALLING) continue;
    uint32_t left = flow->dial_until - thread->now;
    if (left < tick) tick = left < LEAST_TICK ? LEAST_TICK : left;
  }
  thread->sweep_at = thread->now + tick;
}

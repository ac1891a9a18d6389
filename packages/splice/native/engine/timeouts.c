/*
 * Timeouts: when a thread checks them, and what it does where one has passed. There is no timer for each: a thread
 * checks all of its connections whenever an eighth of the shortest timeout has passed, once a second at the least.
 * The waits of clients, of which stalls.c has a list, are checked more often.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <time.h>

/* Between two checks of timeouts. */
enum { MIN_INTERVAL_MS = 10, MAX_INTERVAL_MS = 1000 };
/* A check that is overdue by more was held up: the process was stopped, or had no CPU. */
enum { PAUSE_TOLERANCE_MS = 100 };
/* For how long a connection that its backend has ended without an answer keeps threads from taking dials. */
enum { MOST_HOLD_MS = 5000 };

uint32_t clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

uint32_t clock_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
}

bool is_past(uint32_t now, uint32_t moment) { return (int32_t)(now - moment) >= 0; }

static bool longer_than(uint32_t now, uint32_t since, uint32_t limit) {
  return limit > 0 && now - since > limit;
}

uint32_t load_check_at(const struct thread *thread) {
  return atomic_load_explicit(&thread->check_at, memory_order_relaxed);
}

static void store_check_at(struct thread *thread, uint32_t moment) {
  atomic_store_explicit(&thread->check_at, moment, memory_order_relaxed);
}

void wake_by(struct thread *thread, uint32_t moment) {
  if (is_past(load_check_at(thread), moment)) store_check_at(thread, moment);
}

void schedule_check(struct thread *thread, uint32_t moment) {
  if (is_past(thread->timeouts_at, moment)) thread->timeouts_at = moment;
  wake_by(thread, moment);
}

/*
 * Checks a direction in which nothing was read since the last check: whether the writing side makes progress, and
 * whether an event was missed. Asks the kernel once after the last byte, and again only while something is
 * unacknowledged. False when the connection has ended.
 */
static bool check_direction(struct thread *thread, struct connection *connection, int from) {
  struct direction *direction = &connection->direction[from];
  bool moved = direction->moved, pending = has_pending(direction);
  bool exempt = direction->unacked && direction->unacked->exempt;
  direction->moved = false;
  if (moved) direction->all_acked = false;
  if (!pending && !exempt && (moved || direction->all_acked)) return true;
  if (!check_unacked(thread, connection, from)) return false;
  if (pending) direction->all_acked = false;
  bool unacked = direction->unacked && direction->unacked->exists;
  /* Progress is what was written last or acknowledged last, whichever is later. */
  uint32_t since = direction->progress_at;
  if (unacked && (!pending || is_past(direction->unacked->since, since))) since = direction->unacked->since;
  if ((pending || unacked) && longer_than(thread->now, since, connection->listener->settings.write_timeout)) {
    end_connection(thread, connection, BLOCKED, 0);
    return false;
  }
  /* The system also returns EAGAIN when it is out of memory, and then no event follows. */
  if (pending) connection->side[!from].writable = true;
  if (!direction->eof) connection->side[from].readable = true;
  move_bytes(thread, connection);
  return connection->state == RELAYING;
}

static void check_connection(struct thread *thread, struct connection *connection) {
  const struct settings *settings = &connection->listener->settings;
  uint32_t now = thread->now;
  if (connection->state == DIALLING && is_past(now, connection->dial->deadline)) check_dial(thread, connection);
  if (connection->state != RELAYING) return;
  limit_ages(thread, connection);
  if (connection->holds_stock && longer_than(now, connection->direction[BACKEND].progress_at, MOST_HOLD_MS))
    release_stock(connection);
  if (!connection->has_keepalive_options)
    connection->has_keepalive_options = set_keepalive_options(connection->side[BACKEND].fd, settings) == 0;
  if (!check_direction(thread, connection, CLIENT) || !check_direction(thread, connection, BACKEND)) return;
  bool half_closed = connection->direction[CLIENT].eof || connection->direction[BACKEND].eof;
  if (half_closed && longer_than(now, connection->active_at, settings->half_close_timeout))
    return end_connection(thread, connection, HALF_CLOSED, 0);
  if (longer_than(now, connection->active_at, settings->idle_timeout)) end_connection(thread, connection, IDLE, 0);
}

/* The interval, or an eighth of the timeout where that is shorter. */
static uint32_t shorter(uint32_t interval, uint32_t timeout) {
  uint32_t part = timeout / 8 < MIN_INTERVAL_MS ? MIN_INTERVAL_MS : timeout / 8;
  return timeout > 0 && part < interval ? part : interval;
}

bool needs_checks(const struct thread *thread) {
  return thread->connections || thread->idle_pipes || thread->paused > 0;
}

/* Input is handled before timeouts: a thread with more events checks a little later. */
bool is_time_to_check(const struct thread *thread, bool has_more_events) {
  uint32_t grace = has_more_events ? PAUSE_TOLERANCE_MS / 2 : 0;
  return needs_checks(thread) && is_past(thread->now, load_check_at(thread) + grace);
}

/*
 * Called before the events of a tick are handled. The time for which this process did not run counts for no timeout;
 * input that arrived meanwhile is read before the next check.
 */
void extend_after_pause(struct thread *thread) {
  if (!needs_checks(thread) || !is_past(thread->now, load_check_at(thread) + PAUSE_TOLERANCE_MS)) return;
  uint32_t paused = thread->now - load_check_at(thread);
  for (struct connection *connection = thread->connections; connection; connection = connection->next) {
    connection->active_at += paused;
    extend_wait(connection, paused);
    for (int from = CLIENT; from <= BACKEND; from++) {
      struct direction *direction = &connection->direction[from];
      direction->progress_at += paused;
      if (direction->unacked) extend_unacked(direction->unacked, paused);
    }
    if (connection->dial) extend_dial(connection->dial, paused);
  }
  thread->timeouts_at = thread->now + MIN_INTERVAL_MS;
  store_check_at(thread, thread->timeouts_at);
}

/* Also closes the pipes that are idle at this moment. */
static void check_timeouts(struct thread *thread) {
  uint32_t interval = MAX_INTERVAL_MS;
  close_idle_pipes(thread);
  for (struct connection *connection = thread->connections, *next; connection; connection = next) {
    next = connection->next;
    check_connection(thread, connection);
    const struct settings *settings = &connection->listener->settings;
    interval = shorter(interval, settings->idle_timeout);
    interval = shorter(interval, settings->half_close_timeout);
    interval = shorter(interval, settings->write_timeout);
    interval = shorter(interval, settings->user_timeout);
    if (connection->state != DIALLING) continue;
    uint32_t left = connection->dial->deadline - thread->now;
    if (left < interval) interval = left < MIN_INTERVAL_MS ? MIN_INTERVAL_MS : left;
  }
  thread->timeouts_at = thread->now + interval;
}

void run_checks(struct thread *thread) {
  if (is_past(thread->now, thread->timeouts_at)) check_timeouts(thread);
  store_check_at(thread, thread->timeouts_at);
  check_waits(thread);
  /* Often, and not together with all connections, which may be many. */
  if (thread->paused > 0) update_listeners(thread);
  if (thread->paused > 0) wake_by(thread, thread->now + MIN_INTERVAL_MS);
}

/*
 * Waits: a client waits while it has sent and its backend has sent nothing since. One that waits for longer than the
 * stall timeout is reported, once.
 *
 * A read only changes a field of its connection. The first read of a wait also puts the connection into a list of its
 * thread, which visits the list several times within the timeout, and drops those that do not wait any more. So
 * connections without traffic cost nothing, and busy ones a few visits a second. A wait is timed when the thread first
 * visits it, after its beginning: a report may be late by two visits, and is never early.
 */
#define _GNU_SOURCE
#include "internal.h"

/* Visits within the stall timeout, and the time between two of them. */
enum { VISITS = 16, MIN_VISIT_MS = 10, MAX_VISIT_MS = 250 };
/* The clock is behind by up to this: a tick of a kernel with HZ=100. */
enum { CLOCK_TICK_MS = 10 };
/* Ages are not counted any further: the clock wraps. */
enum { MAX_AGE_MS = 1 << 30 };

/* Of connection->wait. NO_WAIT: the client does not wait. UNTIMED: it does; since when is not known yet. TIMED: since
 * the time in the lower half. */
enum { NO_WAIT = 0, UNTIMED = 1 };
static const uint64_t TIMED = 1ull << 32, REPORTED = 1ull << 33;

static uint64_t load_wait(const struct connection *connection) {
  return atomic_load_explicit(&connection->wait, memory_order_relaxed);
}

static void store_wait(struct connection *connection, uint64_t wait) {
  atomic_store_explicit(&connection->wait, wait, memory_order_relaxed);
}

static uint32_t load_answered_at(const struct connection *connection) {
  return atomic_load_explicit(&connection->answered_at, memory_order_relaxed);
}

static void store_answered_at(struct connection *connection, uint32_t moment) {
  atomic_store_explicit(&connection->answered_at, moment, memory_order_relaxed);
}

/* While bytes of the backend are pending, no more are read, since the client takes none: it does not wait. */
static void time_wait(struct connection *connection) {
  if (has_pending(&connection->direction[BACKEND])) return;
  /* Not thread->now: that may be older than the read. */
  store_wait(connection, TIMED | (uint32_t)(clock_ms() + CLOCK_TICK_MS));
}

static uint32_t visit_interval(const struct connection *connection) {
  uint32_t interval = connection->listener->settings.stall_timeout / VISITS;
  if (interval < MIN_VISIT_MS) return MIN_VISIT_MS;
  return interval < MAX_VISIT_MS ? interval : MAX_VISIT_MS;
}

static void begin_visits(struct thread *thread, struct connection *connection) {
  connection->visited = true;
  connection->previous_visited = NULL;
  connection->next_visited = thread->visited;
  if (thread->visited) thread->visited->previous_visited = connection;
  thread->visited = connection;
  wake_by(thread, thread->now + visit_interval(connection));
}

static void end_visits(struct thread *thread, struct connection *connection) {
  struct connection *previous = connection->previous_visited, *next = connection->next_visited;
  connection->visited = false;
  if (previous) previous->next_visited = next;
  else thread->visited = next;
  if (next) next->previous_visited = previous;
}

void client_sent(struct thread *thread, struct connection *connection) {
  if (connection->listener->settings.stall_timeout == 0 || load_wait(connection) != NO_WAIT) return;
  if (connection->direction[BACKEND].eof) return; /* there is no answer to wait for */
  store_wait(connection, UNTIMED);
  if (connection->visited) return;
  begin_visits(thread, connection);
  time_wait(connection);
}

void backend_answered(struct thread *thread, struct connection *connection) {
  store_answered_at(connection, thread->now + CLOCK_TICK_MS);
  store_wait(connection, NO_WAIT);
  connection->answered_late = connection->direction[CLIENT].eof;
}

void end_wait(struct thread *thread, struct connection *connection) {
  store_wait(connection, NO_WAIT);
  if (connection->visited) end_visits(thread, connection);
}

/* False when there is no wait left that is to be reported. */
static bool visit(struct thread *thread, struct connection *connection) {
  uint64_t wait = load_wait(connection);
  if (wait == NO_WAIT) return false;
  if (wait == UNTIMED) {
    time_wait(connection);
    return true;
  }
  int32_t waited = (int32_t)(thread->now - (uint32_t)wait); /* negative right after the wait was timed */
  if (waited < 0 || (uint32_t)waited < connection->listener->settings.stall_timeout) return true;
  store_wait(connection, wait | REPORTED);
  report(thread->engine, thread, connection, REPORT_STALLED, 0);
  return false;
}

void check_waits(struct thread *thread) {
  for (struct connection *connection = thread->visited, *next; connection; connection = next) {
    next = connection->next_visited;
    if (!visit(thread, connection)) end_visits(thread, connection);
    else wake_by(thread, thread->now + visit_interval(connection));
  }
}

void extend_wait(struct connection *connection, uint32_t ms) {
  uint64_t wait = load_wait(connection);
  uint32_t since = (uint32_t)wait + ms;
  if (wait & TIMED) store_wait(connection, (wait & (TIMED | REPORTED)) | since);
  store_answered_at(connection, load_answered_at(connection) + ms);
}

void limit_ages(struct thread *thread, struct connection *connection) {
  uint64_t wait = load_wait(connection);
  uint32_t oldest = thread->now - MAX_AGE_MS;
  if (wait & REPORTED && is_past(oldest, (uint32_t)wait)) store_wait(connection, TIMED | REPORTED | oldest);
  if (is_past(oldest, load_answered_at(connection))) store_answered_at(connection, oldest);
}

bool is_still_stalled(const struct connection *connection) { return load_wait(connection) & REPORTED; }

/* A thread checks its times no later than at check_at. If it did not, it was held up, and will extend them. */
static int64_t age_of(const struct connection *connection, uint32_t moment) {
  uint32_t now = clock_ms(), check_at = load_check_at(connection->thread);
  int32_t age = (int32_t)((is_past(now, check_at) ? check_at : now) - moment);
  return age < 0 ? 0 : age;
}

void client_ended(struct connection *connection) {
  uint64_t wait = load_wait(connection);
  connection->waited = wait & TIMED ? (uint32_t)age_of(connection, (uint32_t)wait) : 0;
}

void settle_wait(struct connection *connection, enum reason reason) {
  bool left_before = connection->direction[CLIENT].eof;
  if (reason == CLIENT_FAILED && !left_before) client_ended(connection);
  bool by_peers = reason == FINISHED || reason == CLIENT_FAILED || reason == BACKEND_FAILED;
  /* It only ended its output, and has taken the answer. */
  bool served = reason == FINISHED && connection->answered_late;
  if (!by_peers || served) connection->waited = 0;
}

int64_t engine_waiting(const struct engine *engine, uint32_t slot) {
  const struct connection *connection = engine->slots[slot];
  uint64_t wait = load_wait(connection);
  return wait & TIMED ? age_of(connection, (uint32_t)wait) : -1;
}

int64_t engine_answered(const struct engine *engine, uint32_t slot) {
  const struct connection *connection = engine->slots[slot];
  bool answered = atomic_load_explicit(&connection->direction[BACKEND].bytes, memory_order_acquire) > 0;
  if (!answered || connection->listener->settings.stall_timeout == 0) return -1;
  int64_t age = age_of(connection, load_answered_at(connection)) - CLOCK_TICK_MS; /* never too long */
  return age < 0 ? 0 : age;
}

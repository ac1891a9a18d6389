/*
 * A thread of the engine: its event loop, and when it sleeps and wakes. epoll is edge-triggered, so that a socket is
 * registered once and never changed.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { MAX_EVENTS = 256 };
/* Read by connections in their turns, before the thread looks for events again. A turn is not cut short. */
enum { BYTES_PER_TICK = 4 * 1024 * 1024 };
/* Until the controller is woken again, if that has failed. */
enum { WAKE_RETRY_MS = 20 };
/* Consecutive failures of epoll_wait until the connections are reset, and the pause after each. */
enum { MAX_WAIT_FAILURES = 20, WAIT_RETRY_MS = 50 };

int watch(struct thread *thread, int fd, uint32_t events, uint64_t what) {
  struct epoll_event event = {.events = events, .data.u64 = what};
  return epoll_ctl(thread->epoll, EPOLL_CTL_ADD, fd, &event);
}

void close_watched(struct thread *thread, int fd) {
  /* A process that this one has just forked has copies of all descriptors until it calls exec. So long, closing alone
   * would leave the socket in the epoll set, and its events would name a connection that was freed. */
  epoll_ctl(thread->epoll, EPOLL_CTL_DEL, fd, NULL);
  close(fd);
}

static bool grow_watched(struct thread *thread) {
  uint32_t count = thread->watched_count ? thread->watched_count * 2 : 64;
  struct watched *watched = realloc(thread->watched, count * sizeof *watched);
  if (!watched) return false;
  for (uint32_t place = thread->watched_count; place < count; place++)
    watched[place] = (struct watched){.generation = 1, .next_free = place + 1};
  thread->watched = watched;
  thread->watched_count = count;
  return true;
}

bool begin_watching(struct thread *thread, struct connection *connection) {
  if (thread->free_watched == thread->watched_count && !grow_watched(thread)) return false;
  connection->watched = thread->free_watched;
  struct watched *watched = &thread->watched[connection->watched];
  thread->free_watched = watched->next_free;
  watched->connection = connection;
  return true;
}

/*
 * The descriptors of most connections are closed while they are in the epoll set, which saves two system calls. So events
 * can come of connections that are over: a process that was just forked may hold their sockets open, until it calls exec.
 */
void end_watching(struct thread *thread, struct connection *connection) {
  struct watched *watched = &thread->watched[connection->watched];
  uint32_t generation = watched->generation + 1;
  *watched = (struct watched){.generation = generation ? generation : 1, .next_free = thread->free_watched};
  thread->free_watched = connection->watched;
}

uint64_t data_of_side(const struct thread *thread, const struct connection *connection, int which) {
  uint64_t generation = thread->watched[connection->watched].generation;
  return generation << 32 | connection->watched << 2 | (unsigned)which;
}

/* The connection that an event of a side is about; NULL if it is over. */
static struct connection *connection_of(const struct thread *thread, uint64_t what) {
  const struct watched *watched = &thread->watched[(uint32_t)what >> 2];
  return watched->generation == what >> 32 ? watched->connection : NULL;
}

/* Handles an event, which `what` describes as internal.h does for epoll's data. */
static void on_event(struct thread *thread, uint64_t what, uint32_t events) {
  if (what == 0) return; /* wake_fd: do_work has handled it */
  int kind = what & KIND;
  void *pointer = (void *)(uintptr_t)(what & ~(uint64_t)KIND);
  if (kind == OF_ACCEPTOR) return on_listener(thread, pointer);
  if (kind == OF_RACE) return on_race(thread, pointer);
  struct connection *connection = connection_of(thread, what);
  if (connection) on_side(thread, connection, kind, events);
}

void wake_thread(struct thread *thread) {
  atomic_store(&thread->has_work, true);
  /* A thread that is awake checks has_work before it sleeps. */
  if (!atomic_exchange(&thread->asleep, false)) return;
  uint64_t one = 1;
  if (RETRIED(write(thread->wake_fd, &one, sizeof one)) > 0) return;
  /* EPOLL_CTL_MOD reports an event that is already pending, and an eventfd is always writable. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
  if (epoll_ctl(thread->epoll, EPOLL_CTL_MOD, thread->wake_fd, &event) == 0) return;
  /* It still sleeps. The next order, or engine_check, tries again. */
  atomic_store(&thread->asleep, true);
}

static void do_work(struct thread *thread) {
  if (!atomic_exchange(&thread->has_work, false)) return;
  pthread_mutex_lock(&thread->lock);
  struct connection *connection = thread->orders;
  thread->orders = NULL;
  thread->orders_end = &thread->orders;
  pthread_mutex_unlock(&thread->lock);
  while (connection) {
    struct connection *next = connection->next_order;
    handle_orders(thread, connection);
    connection = next;
  }
  update_listeners(thread);
}

void wait_for_turn(struct thread *thread, struct connection *connection) {
  if (connection->is_ready) return;
  connection->is_ready = true;
  connection->next_ready = NULL;
  *thread->ready_end = connection;
  thread->ready_end = &connection->next_ready;
  thread->ready_count++;
}

/*
 * Connections take turns here, until BYTES_PER_TICK are moved. The others go on in the next tick, before those that
 * have had their turn: however many carry bulk, other events do not wait for all of them.
 */
static void run_ready(struct thread *thread) {
  thread->in_turns = true;
  thread->bytes_in_turns = 0;
  for (unsigned left = thread->ready_count; left > 0 && thread->bytes_in_turns < BYTES_PER_TICK; left--) {
    struct connection *connection = thread->ready;
    thread->ready = connection->next_ready;
    if (!thread->ready) thread->ready_end = &thread->ready;
    thread->ready_count--;
    connection->is_ready = false;
    if (connection->state == RELAYING) move_bytes(thread, connection);
  }
  thread->in_turns = false;
}

/* Reports connections that are over. No event of this tick points to them any longer: the controller may free them. */
static void report_ended(struct thread *thread) {
  struct connection **link = &thread->over;
  while (*link) {
    struct connection *connection = *link;
    if (connection->is_ready) {
      link = &connection->next;
      continue;
    }
    *link = connection->next;
    report(thread->engine, thread, connection, REPORT_ENDED, 0);
  }
}

static int ms_until(uint32_t now, uint32_t moment) { return is_past(now, moment) ? 0 : (int)(moment - now); }

static int wait_ms(const struct thread *thread) {
  if (thread->ready) return 0;
  uint32_t now = clock_ms();
  int most = atomic_load(&thread->engine->wake_failed) ? WAKE_RETRY_MS : -1;
  /* From the first event on: more of them do not postpone it. */
  if (thread->batch_ms) most = ms_until(now, thread->batched_since + thread->batch_ms);
  if (!needs_checks(thread)) return most;
  uint32_t check_at = load_check_at(thread);
  int check = is_past(now, check_at) ? 0 : (int)(check_at - now) + 1;
  return most >= 0 && most < check ? most : check;
}

/*
 * Without epoll nothing is known of any socket. It fails only if other code of the process has closed the descriptor,
 * or a sandbox was entered after the start.
 */
static void on_wait_failed(struct thread *thread, int error) {
  thread->wait_failures++;
  if (error == EINTR && thread->wait_failures == 1) return;
  struct timespec pause = {.tv_nsec = WAIT_RETRY_MS * 1000000L};
  nanosleep(&pause, NULL);
  if (thread->wait_failures < MAX_WAIT_FAILURES) return;
  thread->now = clock_ms();
  while (thread->connections) end_connection(thread, thread->connections, ABORTED, error);
  for (struct listener *listener = atomic_load(&thread->engine->last_listener); listener; listener = listener->previous)
    report_listener_error(thread, listener, error);
}

static int wait_for_events(struct thread *thread, struct epoll_event *events) {
  int ms = wait_ms(thread);
  atomic_store(&thread->asleep, true);
  /* After this check, wake_thread finds it asleep and writes to wake_fd. */
  if (atomic_load(&thread->has_work)) ms = 0;
  int count = epoll_wait(thread->epoll, events, MAX_EVENTS, ms);
  int error = errno;
  atomic_store(&thread->asleep, false);
  if (count >= 0) thread->wait_failures = 0;
  else on_wait_failed(thread, error);
  return count;
}

/* Wakes the controller for batched events, when they have waited long enough or there is nothing else to do. */
static void flush_batch(struct thread *thread, int events) {
  retry_wake(thread->engine);
  if (!thread->batch_ms) return;
  if (events > 0 && !is_past(thread->now, thread->batched_since + thread->batch_ms)) return;
  thread->batch_ms = 0;
  wake_controller(thread->engine);
}

void *run_thread(void *argument) {
  struct thread *thread = argument;
  struct epoll_event events[MAX_EVENTS];
  thread->now = thread->timeouts_at = clock_ms();
  atomic_store(&thread->check_at, thread->now);
  while (!atomic_load(&thread->engine->stopping)) {
    int count = wait_for_events(thread, events);
    atomic_fetch_add_explicit(&thread->tick, 1, memory_order_relaxed);
    thread->now = clock_ms();
    extend_after_pause(thread);
    /* Before the events, since orders may be older. */
    do_work(thread);
    for (int index = 0; index < count; index++) on_event(thread, events[index].data.u64, events[index].events);
    if (is_time_to_check(thread, count == MAX_EVENTS)) run_checks(thread);
    run_ready(thread);
    report_ended(thread);
    flush_batch(thread, count);
  }
  return NULL;
}

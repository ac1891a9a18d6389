/* What the owner is told, and what it orders. All but `call`, `wake` and what tells is called by the owner alone. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

void wake_thread(struct thread *thread) {
  atomic_store(&thread->has_work, true);
  /* Awake, it looks before it sleeps. */
  if (!atomic_exchange(&thread->asleep, false)) return;
  uint64_t one = 1;
  if (RETRIED(write(thread->wake_fd, &one, sizeof one)) > 0) return;
  /* To be interested in what is so already is an event as well. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
  if (epoll_ctl(thread->epoll, EPOLL_CTL_MOD, thread->wake_fd, &event) == 0) return;
  /* It still sleeps then, and the next call or check has to wake it. */
  atomic_store(&thread->asleep, true);
}

/* Once until the owner has come. */
void wake_controller(struct engine *engine) {
  if (atomic_exchange(&engine->controller_woken, true)) return;
  if (RETRIED(send(engine->wake_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL)) == 1) return;
  atomic_store(&engine->controller_woken, false);
  atomic_store(&engine->wake_failed, true);
}

void retry_wake(struct engine *engine) {
  if (!atomic_load(&engine->wake_failed) || !atomic_exchange(&engine->wake_failed, false)) return;
  wake_controller(engine);
}

unsigned engine_check(struct engine *engine) {
  unsigned stuck = 0;
  retry_wake(engine);
  for (unsigned index = 0; index < engine->thread_count; index++) {
    struct thread *thread = &engine->threads[index];
    unsigned tick = atomic_load(&thread->tick);
    thread->missed_checks = tick == thread->last_tick ? thread->missed_checks + 1 : 0;
    thread->last_tick = tick;
    if (thread->missed_checks >= STUCK_CHECKS) stuck++;
    wake_thread(thread);
  }
  return stuck;
}

void report(struct engine *engine, struct connection *connection, uint8_t what, int error) {
  pthread_mutex_lock(&engine->lock);
  if (what & (REPORT_CONNECTED | REPORT_DIAL_FAILED)) {
    connection->events &= (uint8_t)~(REPORT_CONNECTED | REPORT_DIAL_FAILED);
    connection->dial_reported = connection->dial;
    connection->address_reported = connection->dial_address;
    connection->dial_error = error;
  }
  connection->events |= what;
  struct thread *thread = connection->thread; /* asked now: when the lock is given up, the owner may free the flow */
  if (!connection->event_queued) {
    connection->event_queued = true;
    connection->next_event = NULL;
    *engine->events_end = connection;
    engine->events_end = &connection->next_event;
  }
  pthread_mutex_unlock(&engine->lock);
  /* A client waits for what follows from these. The others are news, which can wait for the next of these. */
  if (what == REPORT_ACCEPTED) return; /* its listener may have more of them, and wakes the owner once */
  if (what == REPORT_DIAL_FAILED || !thread) return wake_controller(engine);
  if (thread->batched) return;
  thread->batched = true;
  thread->batched_since = thread->now;
}

void report_accept_failed(struct engine *engine, struct listener *listener, int error) {
  pthread_mutex_lock(&engine->lock);
  listener->error = error;
  engine->accept_failed = true;
  pthread_mutex_unlock(&engine->lock);
  wake_controller(engine);
}

static bool grow_slots(struct engine *engine) {
  uint32_t count = engine->slot_count ? engine->slot_count * 2 : 256;
  struct connection **slots = realloc(engine->slots, count * sizeof *slots);
  if (slots) engine->slots = slots;
  uint32_t *free_slots = realloc(engine->free_slots, count * sizeof *free_slots);
  if (free_slots) engine->free_slots = free_slots;
  if (!slots || !free_slots) return false;
  for (uint32_t slot = count; slot > engine->slot_count; slot--) {
    slots[slot - 1] = NULL;
    free_slots[engine->free_count++] = slot - 1;
  }
  engine->slot_count = count;
  return true;
}

/* The owner is done with a flow; its thread may still have it among its orders. */
static void free_slot(struct engine *engine, struct connection *connection) {
  engine->slots[connection->slot] = NULL;
  engine->free_slots[engine->free_count++] = connection->slot;
  struct thread *thread = connection->thread;
  if (!thread) return free_connection(connection);
  thread->load--;
  pthread_mutex_lock(&thread->lock);
  bool order_queued = connection->order_queued;
  connection->freed = true;
  pthread_mutex_unlock(&thread->lock);
  if (!order_queued) free_connection(connection);
}

/* What is to be told of one flow, oldest first. Up to two events. */
static unsigned take_events(struct engine *engine, struct connection *connection, struct event *out) {
  unsigned count = 0;
  uint8_t events = connection->events;
  connection->events = 0;
  connection->event_queued = false;
  if (events & REPORT_ACCEPTED) {
    atomic_fetch_sub(&engine->untaken_clients, 1);
    if (engine->free_count == 0 && !grow_slots(engine)) {
      free_connection(connection); /* no memory for one more: the client sees an end or a reset */
      return 0;
    }
    connection->slot = engine->free_slots[--engine->free_count];
    engine->slots[connection->slot] = connection;
    out[count++] = (struct event){.slot = connection->slot, .kind = ACCEPTED, .listener = connection->listener};
  }
  if ((events & (REPORT_CONNECTED | REPORT_DIAL_FAILED)) && connection->dial_reported == connection->dials) {
    enum event_kind kind = events & REPORT_CONNECTED ? CONNECTED : DIAL_FAILED;
    out[count++] = (struct event){.slot = connection->slot, .kind = kind, .error = connection->dial_error, .address = connection->address_reported};
  }
  if (events & REPORT_ENDED) {
    out[count] = (struct event){.slot = connection->slot,
                                .kind = ENDED,
                                .error = connection->end_error,
                                .reason = connection->reason,
                                .ended_first = connection->ended_first};
    engine_bytes(engine, connection->slot, out[count].bytes);
    count++;
    connection->next_event = engine->to_free;
    engine->to_free = connection;
  }
  return count;
}

unsigned engine_take(struct engine *engine, struct event *out, unsigned max) {
  unsigned count = 0;
  /* Only now has the owner seen that these have ended; until it had, it may have given orders, which do nothing. */
  for (struct connection *connection = engine->to_free, *next; connection; connection = next) {
    next = connection->next_event;
    free_slot(engine, connection);
  }
  engine->to_free = NULL;
  atomic_store(&engine->controller_woken, false);
  pthread_mutex_lock(&engine->lock);
  struct listener *listener = engine->accept_failed ? atomic_load(&engine->last_listener) : NULL;
  for (; listener && count < max; listener = listener->previous) {
    if (listener->error == 0) continue;
    out[count++] = (struct event){.kind = ACCEPT_FAILED, .listener = listener->number, .error = listener->error};
    listener->error = 0;
  }
  engine->accept_failed = count == max;
  while (engine->events && count + 2 <= max) {
    struct connection *connection = engine->events;
    engine->events = connection->next_event;
    if (!engine->events) engine->events_end = &engine->events;
    count += take_events(engine, connection, out + count);
  }
  pthread_mutex_unlock(&engine->lock);
  if (atomic_exchange(&engine->accept_paused, false))
    for (unsigned index = 0; index < engine->thread_count; index++) wake_thread(&engine->threads[index]);
  return count;
}

static void post_order(struct connection *connection, uint8_t what) {
  struct thread *thread = connection->thread;
  connection->orders |= what;
  bool first = !thread->orders;
  if (!connection->order_queued) {
    connection->order_queued = true;
    connection->next_order = NULL;
    *thread->orders_end = connection;
    thread->orders_end = &connection->next_order;
  }
  pthread_mutex_unlock(&thread->lock);
  if (first) wake_thread(thread);
}

static struct thread *least_loaded(struct engine *engine) {
  struct thread *least = engine->threads;
  for (unsigned index = 1; index < engine->thread_count; index++)
    if (engine->threads[index].load < least->load) least = &engine->threads[index];
  least->load++;
  return least;
}

/* To be called under the thread's lock. */
static void order_dial(struct connection *connection, struct race *race) {
  connection->dial_ordered = ++connection->dials;
  free(connection->race_ordered);
  connection->race_ordered = race;
  post_order(connection, ORDER_DIAL);
}

void engine_dial(struct engine *engine, uint32_t slot, const struct sockaddr *target, socklen_t length,
                 uint32_t timeout) {
  struct connection *connection = engine->slots[slot];
  if (!connection->thread) connection->thread = least_loaded(engine);
  pthread_mutex_lock(&connection->thread->lock);
  connection->timeout = timeout;
  memcpy(&connection->target, target, length < sizeof connection->target ? length : sizeof connection->target);
  order_dial(connection, NULL);
}

void engine_dial_any(struct engine *engine, uint32_t slot, const struct sockaddr_storage *targets, unsigned count,
                     uint32_t timeout) {
  struct race *race = new_race(targets, count, timeout);
  /* Without memory the first has to do. */
  if (!race) return engine_dial(engine, slot, (const struct sockaddr *)targets, sizeof(union address), timeout);
  struct connection *connection = engine->slots[slot];
  if (!connection->thread) connection->thread = least_loaded(engine);
  pthread_mutex_lock(&connection->thread->lock);
  order_dial(connection, race);
}

void engine_cancel_dial(struct engine *engine, uint32_t slot) {
  struct connection *connection = engine->slots[slot];
  if (!connection->thread) return;
  pthread_mutex_lock(&connection->thread->lock);
  connection->dials++;
  connection->orders &= (uint8_t)~ORDER_DIAL;
  free(connection->race_ordered);
  connection->race_ordered = NULL;
  post_order(connection, ORDER_CANCEL);
}

/* A client that was never dialled for is still the owner's. */
static void end_undialled(struct engine *engine, struct connection *connection, enum reason reason) {
  if (connection->state == OVER) return;
  connection->state = OVER;
  connection->reason = reason;
  if (reason == ABORTED) reset_on_close(connection->side[CLIENT].fd);
  close(connection->side[CLIENT].fd);
  connection->side[CLIENT].fd = -1;
  report(engine, connection, REPORT_ENDED, 0);
}

static void end(struct engine *engine, uint32_t slot, enum reason reason, uint8_t what) {
  struct connection *connection = engine->slots[slot];
  connection->dials++; /* what became of the dial is of no interest any more */
  if (!connection->thread) return end_undialled(engine, connection, reason);
  pthread_mutex_lock(&connection->thread->lock);
  post_order(connection, what);
}

void engine_close(struct engine *engine, uint32_t slot) { end(engine, slot, CLOSED, ORDER_CLOSE); }

void engine_abort(struct engine *engine, uint32_t slot) { end(engine, slot, ABORTED, ORDER_ABORT); }

void engine_bytes(const struct engine *engine, uint32_t slot, uint64_t bytes[2]) {
  const struct connection *connection = engine->slots[slot];
  for (int from = CLIENT; from <= BACKEND; from++)
    bytes[from] = atomic_load_explicit(&connection->direction[from].bytes, memory_order_relaxed);
}

const struct sockaddr *engine_peer(const struct engine *engine, uint32_t slot) {
  return &engine->slots[slot]->peer.any;
}

/*
 * What crosses threads: events go to the controller, orders to the thread of a connection. Both lists run through the
 * connections themselves, so that nothing is allocated for them and nothing can overflow. Threads call report…() and
 * what wakes the controller, which calls the rest.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

/* Writes one byte until the controller takes events again. */
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

/* For how long events may wait for others before the controller is woken; if it waits for none of them, for the latter. */
enum { BATCH_MS = 2, LONG_BATCH_MS = 10 };

/* Nothing depends on them soon: that a client which needed no decision was served, and has left. */
static bool can_wait(const struct connection *connection, uint8_t what) {
  if (!connection->stocked || what == REPORT_STALLED || connection->holds_stock) return false;
  return what != REPORT_ENDED || connection->reason == FINISHED || connection->reason == CLIENT_FAILED;
}

void report(struct engine *engine, struct thread *thread, struct connection *connection, uint8_t what, int error) {
  pthread_mutex_lock(&engine->lock);
  if (what & (REPORT_CONNECTED | REPORT_DIAL_FAILED)) {
    connection->events &= (uint8_t)~(REPORT_CONNECTED | REPORT_DIAL_FAILED);
    const struct dial *dial = connection->dial;
    connection->dial_reported = dial->number;
    connection->address_reported = dial->address;
    connection->dial_us_reported = dial->stocked ? clock_us() - dial->accepted_us : 0;
    connection->dial_error = (uint16_t)error;
  }
  connection->events |= what;
  bool is_asked_for = what == REPORT_ACCEPTED && !connection->stocked;
  uint32_t ms = can_wait(connection, what) ? LONG_BATCH_MS : BATCH_MS;
  if (!connection->event_queued) {
    connection->event_queued = true;
    connection->next_event = NULL;
    *engine->events_end = connection;
    engine->events_end = &connection->next_event;
  }
  pthread_mutex_unlock(&engine->lock);
  /* A client waits for a dial. The other events can wait for the next that is urgent. */
  if (is_asked_for || what == REPORT_DIAL_FAILED || !thread) return wake_controller(engine);
  if (!thread->batch_ms) thread->batched_since = thread->now;
  if (!thread->batch_ms || ms < thread->batch_ms) thread->batch_ms = ms;
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

bool promise_slot(struct engine *engine) {
  if (engine->free_count == engine->promised_slots && !grow_slots(engine)) return false;
  engine->promised_slots++;
  return true;
}

void release_promise(struct engine *engine) { engine->promised_slots--; }

/* Frees a connection whose end the controller has seen; its thread does that if it still has orders for it. */
static void release(struct engine *engine, struct connection *connection) {
  engine->slots[connection->slot] = NULL;
  engine->free_slots[engine->free_count++] = connection->slot;
  release_stock(connection);
  struct thread *thread = connection->thread;
  if (!thread) return free_connection(connection);
  pthread_mutex_lock(&thread->lock);
  bool queued = connection->order_queued;
  connection->freed = true;
  pthread_mutex_unlock(&thread->lock);
  if (!queued) free_connection(connection);
}

/* The events of one connection, oldest first: up to three. A stall is not reported if the wait is over by now. */
static unsigned take_events(struct engine *engine, struct connection *connection, struct event *out) {
  unsigned count = 0;
  uint8_t events = connection->events;
  connection->events = 0;
  connection->event_queued = false;
  if (events & REPORT_ACCEPTED) {
    if (connection->stocked) release_promise(engine);
    else atomic_fetch_sub(&engine->untaken_clients, 1);
    if (!connection->stocked && engine->free_count == engine->promised_slots && !grow_slots(engine)) {
      free_connection(connection); /* out of memory: the client is reset */
      return 0;
    }
    int64_t ticket = connection->stocked ? (int64_t)connection->ticket : -1;
    connection->slot = engine->free_slots[--engine->free_count];
    engine->slots[connection->slot] = connection;
    out[count++] = (struct event){.slot = connection->slot,
                                  .kind = ACCEPTED,
                                  .listener = connection->listener->number,
                                  .ticket = ticket};
  }
  bool dialled = events & (REPORT_CONNECTED | REPORT_DIAL_FAILED);
  if (dialled && connection->dial_reported == connection->dials)
    out[count++] = (struct event){.slot = connection->slot,
                                  .kind = events & REPORT_CONNECTED ? CONNECTED : DIAL_FAILED,
                                  .error = connection->dial_error,
                                  .dial_us = connection->dial_us_reported,
                                  .address = connection->address_reported};
  bool stalled = events & REPORT_STALLED && !(events & REPORT_ENDED) && is_still_stalled(connection);
  if (stalled && connection->dial_reported == connection->dials)
    out[count++] = (struct event){.slot = connection->slot, .kind = STALLED};
  if (events & REPORT_ENDED) {
    out[count] = (struct event){.slot = connection->slot,
                                .kind = ENDED,
                                .error = connection->end_error,
                                .reason = connection->reason,
                                .ended_first = connection->ended_first,
                                .waited = connection->waited};
    engine_bytes(engine, connection->slot, out[count].bytes);
    count++;
    connection->next_event = engine->to_free;
    engine->to_free = connection;
  }
  return count;
}

void resume_accepting(struct engine *engine) {
  if (atomic_exchange(&engine->accept_paused, false))
    for (unsigned index = 0; index < engine->thread_count; index++) wake_thread(&engine->threads[index]);
}

unsigned engine_take(struct engine *engine, struct event *out, unsigned max) {
  unsigned count = 0;
  /* The controller has seen the end of these. Until now it may have given them orders, which do nothing. */
  for (struct connection *connection = engine->to_free, *next; connection; connection = next) {
    next = connection->next_event;
    release(engine, connection);
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
  while (engine->events && count + 3 <= max) {
    struct connection *connection = engine->events;
    engine->events = connection->next_event;
    if (!engine->events) engine->events_end = &engine->events;
    count += take_events(engine, connection, out + count);
  }
  pthread_mutex_unlock(&engine->lock);
  resume_accepting(engine);
  return count;
}

/* Called under the thread's lock, which it releases. */
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

/* A hand-over costs a client a wake-up of the other thread: a quarter more connections are no reason for it. */
struct thread *least_loaded(struct engine *engine, struct thread *preferred) {
  struct thread *least = preferred;
  unsigned fewest = preferred ? atomic_load(&preferred->load) : UINT32_MAX;
  if (preferred) fewest -= fewest / 5;
  for (unsigned index = 0; index < engine->thread_count; index++) {
    unsigned load = atomic_load(&engine->threads[index].load);
    if (load >= fewest) continue;
    fewest = load;
    least = &engine->threads[index];
  }
  return least;
}

void hand_over(struct thread *to, struct connection *connection) {
  pthread_mutex_lock(&to->lock);
  post_order(connection, ORDER_ADOPT);
}

int engine_dial(struct engine *engine, uint32_t slot, const struct sockaddr_storage *targets, unsigned count,
                uint32_t timeout) {
  struct connection *connection = engine->slots[slot];
  struct dial *dial = new_dial(targets, count, timeout);
  if (!dial) return ENOMEM;
  if (!connection->thread) {
    connection->thread = least_loaded(engine, NULL);
    atomic_fetch_add(&connection->thread->load, 1);
  }
  dial->number = ++connection->dials;
  pthread_mutex_lock(&connection->thread->lock);
  free_dial(connection->ordered_dial);
  connection->ordered_dial = dial;
  post_order(connection, ORDER_DIAL);
  return 0;
}

void engine_cancel_dial(struct engine *engine, uint32_t slot) {
  struct connection *connection = engine->slots[slot];
  if (!connection->thread) return;
  pthread_mutex_lock(&connection->thread->lock);
  connection->dials++;
  connection->orders &= (uint8_t)~ORDER_DIAL;
  free_dial(connection->ordered_dial);
  connection->ordered_dial = NULL;
  post_order(connection, ORDER_CANCEL);
}

/* A client that was never dialled for has no thread: the controller closes it. */
static void end_undialled(struct engine *engine, struct connection *connection, enum reason reason) {
  if (connection->state == OVER) return;
  connection->state = OVER;
  connection->reason = (uint8_t)reason;
  if (reason == ABORTED) reset_on_close(connection->side[CLIENT].fd);
  close(connection->side[CLIENT].fd);
  connection->side[CLIENT].fd = -1;
  report(engine, NULL, connection, REPORT_ENDED, 0);
}

static void end(struct engine *engine, uint32_t slot, enum reason reason, uint8_t what) {
  struct connection *connection = engine->slots[slot];
  connection->dials++; /* so that the outcome of a dial under way is not reported */
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

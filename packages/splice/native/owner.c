/* What the owner is told, and what it orders. All but `call`, `wake` and what tells is called by the owner alone. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

void call(struct thread *thread) {
  atomic_store(&thread->called, true);
  /* Awake, it looks before it sleeps. */
  if (!atomic_exchange(&thread->asleep, false)) return;
  uint64_t one = 1;
  if (RETRIED(write(thread->poke, &one, sizeof one)) > 0) return;
  /* To be interested in what is so already is an event as well. */
  struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET};
  if (epoll_ctl(thread->epoll, EPOLL_CTL_MOD, thread->poke, &event) == 0) return;
  /* It still sleeps then, and the next call or check has to wake it. */
  atomic_store(&thread->asleep, true);
}

/* Once until the owner has come. */
void wake(struct engine *engine) {
  if (atomic_exchange(&engine->notified, true)) return;
  if (RETRIED(send(engine->wake_fd, "", 1, MSG_DONTWAIT | MSG_NOSIGNAL)) == 1) return;
  atomic_store(&engine->notified, false);
  atomic_store(&engine->wake_failed, true);
}

void wake_again(struct engine *engine) {
  if (!atomic_load(&engine->wake_failed) || !atomic_exchange(&engine->wake_failed, false)) return;
  wake(engine);
}

unsigned engine_check(struct engine *engine) {
  unsigned stuck = 0;
  wake_again(engine);
  for (unsigned index = 0; index < engine->thread_count; index++) {
    struct thread *thread = &engine->threads[index];
    unsigned turn = atomic_load(&thread->turn);
    thread->missed = turn == thread->last_turn ? thread->missed + 1 : 0;
    thread->last_turn = turn;
    if (thread->missed >= STUCK_CHECKS) stuck++;
    call(thread);
  }
  return stuck;
}

void tell(struct engine *engine, struct flow *flow, uint8_t what, int error) {
  pthread_mutex_lock(&engine->lock);
  if (what & (TOLD_CONNECTED | TOLD_FAILED)) {
    flow->events &= (uint8_t)~(TOLD_CONNECTED | TOLD_FAILED);
    flow->dial_told = flow->dial;
    flow->address_told = flow->dial_address;
    flow->dial_error = error;
  }
  flow->events |= what;
  struct thread *thread = flow->thread; /* asked now: when the lock is given up, the owner may free the flow */
  if (!flow->queued) {
    flow->queued = true;
    flow->next_event = NULL;
    *engine->events_end = flow;
    engine->events_end = &flow->next_event;
  }
  pthread_mutex_unlock(&engine->lock);
  /* A client waits for what follows from these. The others are news, which can wait for the next of these. */
  if (what == TOLD_ACCEPTED) return; /* its listener may have more of them, and wakes the owner once */
  if (what == TOLD_FAILED || !thread) return wake(engine);
  if (thread->untold) return;
  thread->untold = true;
  thread->untold_since = thread->now;
}

void tell_accept_failed(struct engine *engine, struct listener *listener, int error) {
  pthread_mutex_lock(&engine->lock);
  listener->error = error;
  engine->accept_failed = true;
  pthread_mutex_unlock(&engine->lock);
  wake(engine);
}

static bool grow(struct engine *engine) {
  uint32_t count = engine->slot_count ? engine->slot_count * 2 : 256;
  struct flow **slots = realloc(engine->slots, count * sizeof *slots);
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
static void release(struct engine *engine, struct flow *flow) {
  engine->slots[flow->slot] = NULL;
  engine->free_slots[engine->free_count++] = flow->slot;
  struct thread *thread = flow->thread;
  if (!thread) return free_flow(flow);
  thread->load--;
  pthread_mutex_lock(&thread->lock);
  bool ordered = flow->ordered;
  flow->freed = true;
  pthread_mutex_unlock(&thread->lock);
  if (!ordered) free_flow(flow);
}

/* What is to be told of one flow, oldest first. Up to two events. */
static unsigned take_flow(struct engine *engine, struct flow *flow, struct event *out) {
  unsigned count = 0;
  uint8_t events = flow->events;
  flow->events = 0;
  flow->queued = false;
  if (events & TOLD_ACCEPTED) {
    atomic_fetch_sub(&engine->untaken, 1);
    if (engine->free_count == 0 && !grow(engine)) {
      free_flow(flow); /* no memory for one more: the client sees an end or a reset */
      return 0;
    }
    flow->slot = engine->free_slots[--engine->free_count];
    engine->slots[flow->slot] = flow;
    out[count++] = (struct event){.slot = flow->slot, .kind = ACCEPTED, .listener = flow->listener};
  }
  if ((events & (TOLD_CONNECTED | TOLD_FAILED)) && flow->dial_told == flow->dials) {
    enum event_kind kind = events & TOLD_CONNECTED ? CONNECTED : DIAL_FAILED;
    out[count++] = (struct event){.slot = flow->slot, .kind = kind, .error = flow->dial_error, .address = flow->address_told};
  }
  if (events & TOLD_ENDED) {
    out[count] = (struct event){.slot = flow->slot,
                                .kind = ENDED,
                                .error = flow->end_error,
                                .reason = flow->reason,
                                .ended_first = flow->ended_first};
    engine_bytes(engine, flow->slot, out[count].bytes);
    count++;
    flow->next_event = engine->told;
    engine->told = flow;
  }
  return count;
}

unsigned engine_take(struct engine *engine, struct event *out, unsigned max) {
  unsigned count = 0;
  /* Only now has the owner seen that these have ended; until it had, it may have given orders, which do nothing. */
  for (struct flow *flow = engine->told, *next; flow; flow = next) {
    next = flow->next_event;
    release(engine, flow);
  }
  engine->told = NULL;
  atomic_store(&engine->notified, false);
  pthread_mutex_lock(&engine->lock);
  struct listener *listener = engine->accept_failed ? atomic_load(&engine->last_listener) : NULL;
  for (; listener && count < max; listener = listener->before) {
    if (listener->error == 0) continue;
    out[count++] = (struct event){.kind = ACCEPT_FAILED, .listener = listener->number, .error = listener->error};
    listener->error = 0;
  }
  engine->accept_failed = count == max;
  while (engine->events && count + 2 <= max) {
    struct flow *flow = engine->events;
    engine->events = flow->next_event;
    if (!engine->events) engine->events_end = &engine->events;
    count += take_flow(engine, flow, out + count);
  }
  pthread_mutex_unlock(&engine->lock);
  if (atomic_exchange(&engine->held_back, false))
    for (unsigned index = 0; index < engine->thread_count; index++) call(&engine->threads[index]);
  return count;
}

static void order(struct flow *flow, uint8_t what) {
  struct thread *thread = flow->thread;
  flow->orders |= what;
  bool first = !thread->orders;
  if (!flow->ordered) {
    flow->ordered = true;
    flow->next_order = NULL;
    *thread->orders_end = flow;
    thread->orders_end = &flow->next_order;
  }
  pthread_mutex_unlock(&thread->lock);
  if (first) call(thread);
}

static struct thread *least_loaded(struct engine *engine) {
  struct thread *least = engine->threads;
  for (unsigned index = 1; index < engine->thread_count; index++)
    if (engine->threads[index].load < least->load) least = &engine->threads[index];
  least->load++;
  return least;
}

/* To be called under the thread's lock. */
static void order_dial(struct flow *flow, struct race *race) {
  flow->dial_ordered = ++flow->dials;
  free(flow->race_ordered);
  flow->race_ordered = race;
  order(flow, ORDER_DIAL);
}

void engine_dial(struct engine *engine, uint32_t slot, const struct sockaddr *target, socklen_t length,
                 uint32_t timeout) {
  struct flow *flow = engine->slots[slot];
  if (!flow->thread) flow->thread = least_loaded(engine);
  pthread_mutex_lock(&flow->thread->lock);
  flow->timeout = timeout;
  memcpy(&flow->target, target, length < sizeof flow->target ? length : sizeof flow->target);
  order_dial(flow, NULL);
}

void engine_dial_any(struct engine *engine, uint32_t slot, const struct sockaddr_storage *targets, unsigned count,
                     uint32_t timeout) {
  struct race *race = new_race(targets, count, timeout);
  /* Without memory the first has to do. */
  if (!race) return engine_dial(engine, slot, (const struct sockaddr *)targets, sizeof(union address), timeout);
  struct flow *flow = engine->slots[slot];
  if (!flow->thread) flow->thread = least_loaded(engine);
  pthread_mutex_lock(&flow->thread->lock);
  order_dial(flow, race);
}

void engine_cancel_dial(struct engine *engine, uint32_t slot) {
  struct flow *flow = engine->slots[slot];
  if (!flow->thread) return;
  pthread_mutex_lock(&flow->thread->lock);
  flow->dials++;
  flow->orders &= (uint8_t)~ORDER_DIAL;
  free(flow->race_ordered);
  flow->race_ordered = NULL;
  order(flow, ORDER_CANCEL);
}

/* A client that was never dialled for is still the owner's. */
static void end_undialled(struct engine *engine, struct flow *flow, enum reason reason) {
  if (flow->state == OVER) return;
  flow->state = OVER;
  flow->reason = reason;
  if (reason == KILLED) reset_on_close(flow->side[CLIENT].fd);
  close(flow->side[CLIENT].fd);
  flow->side[CLIENT].fd = -1;
  tell(engine, flow, TOLD_ENDED, 0);
}

static void end(struct engine *engine, uint32_t slot, enum reason reason, uint8_t what) {
  struct flow *flow = engine->slots[slot];
  flow->dials++; /* what became of the dial is of no interest any more */
  if (!flow->thread) return end_undialled(engine, flow, reason);
  pthread_mutex_lock(&flow->thread->lock);
  order(flow, what);
}

void engine_close(struct engine *engine, uint32_t slot) { end(engine, slot, CLOSED, ORDER_CLOSE); }

void engine_kill(struct engine *engine, uint32_t slot) { end(engine, slot, KILLED, ORDER_KILL); }

void engine_bytes(const struct engine *engine, uint32_t slot, uint64_t bytes[2]) {
  const struct flow *flow = engine->slots[slot];
  for (int from = CLIENT; from <= BACKEND; from++)
    bytes[from] = atomic_load_explicit(&flow->way[from].bytes, memory_order_relaxed);
}

const struct sockaddr *engine_peer(const struct engine *engine, uint32_t slot) {
  return &engine->slots[slot]->peer.any;
}

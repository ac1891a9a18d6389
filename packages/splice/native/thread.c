/*
 * One thread of the engine: its loop, and when it sleeps. epoll is edge-triggered, so a socket is registered once and
 * never changed.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256 };
/* Milliseconds until the owner is told what can wait. */
enum { UNTOLD = 2 };
/* Milliseconds until the owner is woken again. */
enum { WAKE_AGAIN = 20 };
/* When epoll_wait fails: in a row until the connections are given up, and milliseconds to rest after each. */
enum { MOST_WAIT_FAILURES = 20, WAIT_REST = 50 };

int watch(struct thread *thread, int fd, uint32_t events, uintptr_t what) {
  struct epoll_event event = {.events = events, .data.u64 = what};
  return epoll_ctl(thread->epoll, EPOLL_CTL_ADD, fd, &event);
}

/* Sees to what the owner has called for. */
static void on_call(struct thread *thread) {
  if (!atomic_exchange(&thread->called, false)) return;
  pthread_mutex_lock(&thread->lock);
  struct flow *flow = thread->orders;
  thread->orders = NULL;
  thread->orders_end = &thread->orders;
  pthread_mutex_unlock(&thread->lock);
  while (flow) {
    struct flow *next = flow->next_order;
    follow_orders(thread, flow);
    flow = next;
  }
  see_to_listeners(thread);
}

/* Gives flows that have used up their turn another. */
static void run_ready(struct thread *thread) {
  struct flow *flow = thread->ready;
  thread->ready = NULL;
  while (flow) {
    struct flow *next = flow->next_ready;
    flow->is_ready = false;
    if (flow->state == RELAYING) pump(thread, flow);
    flow = next;
  }
}

/* Events of this turn may have pointed to flows that are over; now nothing does, and the owner may free them. */
static void tell_what_is_over(struct thread *thread) {
  struct flow **link = &thread->over;
  while (*link) {
    struct flow *flow = *link;
    if (flow->is_ready) {
      link = &flow->next;
      continue;
    }
    *link = flow->next;
    tell(thread->engine, flow, TOLD_ENDED, 0);
  }
}

static int wait_ms(const struct thread *thread) {
  if (thread->ready) return 0;
  int most = thread->untold ? UNTOLD : atomic_load(&thread->engine->wake_failed) ? WAKE_AGAIN : -1;
  if (!has_to_sweep(thread)) return most;
  uint32_t now = clock_ms();
  int sweep = is_past(now, thread->sweep_at) ? 0 : (int)(thread->sweep_at - now) + 1;
  return most >= 0 && most < sweep ? most : sweep;
}

/*
 * Without epoll nothing is learnt of any socket. That never happens by itself, but what the process has else may have
 * closed our descriptor, and a sandbox may come late.
 */
static void on_wait_failed(struct thread *thread, int error) {
  thread->wait_failures++;
  if (error == EINTR && thread->wait_failures == 1) return;
  struct timespec rest = {.tv_nsec = WAIT_REST * 1000000L};
  nanosleep(&rest, NULL);
  if (thread->wait_failures < MOST_WAIT_FAILURES) return;
  thread->now = clock_ms();
  while (thread->flows) flow_end(thread, thread->flows, KILLED, error);
  for (struct listener *listener = atomic_load(&thread->engine->last_listener); listener; listener = listener->before)
    if (listener->thread == thread) report_error(thread, listener, error);
}

static int wait_for_events(struct thread *thread, struct epoll_event *events) {
  int ms = wait_ms(thread);
  atomic_store(&thread->asleep, true);
  /* Whoever calls after this look finds it asleep, and pokes. */
  if (atomic_load(&thread->called)) ms = 0;
  int count = epoll_wait(thread->epoll, events, EVENTS, ms);
  int error = errno;
  atomic_store(&thread->asleep, false);
  if (count >= 0) thread->wait_failures = 0;
  else on_wait_failed(thread, error);
  return count;
}

/* Tells the owner what could wait, when it has waited or there is nothing else to do. */
static void tell_in_time(struct thread *thread, int events) {
  wake_again(thread->engine);
  if (!thread->untold) return;
  if (events > 0 && !is_past(thread->now, thread->untold_since + UNTOLD)) return;
  thread->untold = false;
  wake(thread->engine);
}

void *thread_run(void *argument) {
  struct thread *thread = argument;
  struct epoll_event events[EVENTS];
  thread->now = thread->sweep_at = clock_ms();
  while (!atomic_load(&thread->engine->stopping)) {
    int count = wait_for_events(thread, events);
    atomic_fetch_add_explicit(&thread->turn, 1, memory_order_relaxed);
    thread->now = clock_ms();
    forgive_pause(thread);
    /* First, since what is ordered may be older than what has happened. */
    on_call(thread);
    for (int index = 0; index < count; index++) {
      uintptr_t what = (uintptr_t)events[index].data.u64;
      void *pointer = (void *)(what & ~(uintptr_t)KIND);
      if (!pointer) continue; /* the poke, which has done what it is for */
      if ((what & KIND) == OF_LISTENER) on_listener(thread, pointer);
      else if ((what & KIND) == OF_RACE) on_race(thread, pointer);
      else on_side(thread, pointer, (int)(what & KIND), events[index].events);
    }
    if (is_time_to_sweep(thread, count == EVENTS)) sweep(thread);
    run_ready(thread);
    tell_what_is_over(thread);
    tell_in_time(thread, count);
  }
  return NULL;
}

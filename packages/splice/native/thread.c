/*
 * One thread of the engine: its loop, and the life of a flow from accept to end. epoll is edge-triggered, so a
 * socket is registered once and never changed.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 256, ACCEPTS = 64, MOST_UNTAKEN = 16 };
/* Milliseconds: after accepting has failed; between looks at times; until the owner is told what can wait. */
enum { PAUSE = 100, LEAST_TICK = 10, MOST_TICK = 1000, UNTOLD = 2 };

/* What an epoll event is about is a pointer with its kind in the low bits: the client of a flow (0), its backend (1), a
 * listener (2); or NULL, which is the owner's poke. */
enum { OF_LISTENER = 2, KIND = 3 };

static uint32_t clock_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

/* Whether `moment` has come. The clock wraps every 49 days. */
static bool is_past(uint32_t now, uint32_t moment) { return (int32_t)(now - moment) >= 0; }

static bool longer_than(uint32_t now, uint32_t since, uint32_t limit) {
  return limit > 0 && now - since > limit;
}

/* Looks at times no later than `moment`. */
static void look_at(struct thread *thread, uint32_t moment) {
  if (is_past(thread->sweep_at, moment)) thread->sweep_at = moment;
}

static int watch(struct thread *thread, int fd, uint32_t events, uintptr_t what) {
  struct epoll_event event = {.events = events, .data.u64 = what};
  return epoll_ctl(thread->epoll, EPOLL_CTL_ADD, fd, &event);
}

static int watch_side(struct thread *thread, struct flow *flow, int which) {
  uint32_t events = EPOLLIN | EPOLLOUT | EPOLLPRI | EPOLLRDHUP | EPOLLET;
  return watch(thread, flow->side[which].fd, events, (uintptr_t)flow | (uintptr_t)which);
}

static int socket_error(int fd) {
  int error = 0;
  socklen_t length = sizeof error;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0) return errno;
  return error;
}

void reset_on_close(int fd) {
  struct linger linger = {.l_onoff = 1, .l_linger = 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

static void close_side(struct side *side, bool reset) {
  if (side->fd < 0) return;
  if (reset) reset_on_close(side->fd);
  close(side->fd); /* nothing else refers to the socket, so epoll forgets it as well */
  *side = (struct side){.fd = -1};
}

static void link_flow(struct thread *thread, struct flow *flow) {
  flow->next = thread->flows;
  if (thread->flows) thread->flows->previous = flow;
  thread->flows = flow;
}

static void unlink_flow(struct thread *thread, struct flow *flow) {
  if (flow->previous) flow->previous->next = flow->next;
  else thread->flows = flow->next;
  if (flow->next) flow->next->previous = flow->previous;
}

/* Nothing was read from either side, not even an end. */
static bool is_untouched(const struct flow *flow) {
  for (int from = CLIENT; from <= BACKEND; from++) {
    const struct way *way = &flow->way[from];
    if (way->eof || atomic_load_explicit(&way->bytes, memory_order_relaxed) > 0) return false;
  }
  return true;
}

void flow_end(struct thread *thread, struct flow *flow, enum reason reason, int error) {
  /* Closing a client whose bytes nobody has read sends a reset by itself; what was read is known here alone. */
  bool reset = reason != FINISHED && !(reason == CLOSED && is_untouched(flow));
  drop_held(thread, flow);
  close_side(&flow->side[CLIENT], reset);
  close_side(&flow->side[BACKEND], reset || flow->state == DIALLING);
  if (flow->in_epoll) unlink_flow(thread, flow);
  flow->state = OVER;
  flow->reason = reason;
  flow->end_error = error;
  /* Events of this turn may still point to it: the owner is told, and may free it, when the turn is over. */
  flow->next = thread->over;
  thread->over = flow;
}

static void dial_failed(struct thread *thread, struct flow *flow, int error) {
  close_side(&flow->side[BACKEND], true);
  flow->state = WAITING;
  tell(thread->engine, flow, TOLD_FAILED, error);
}

static void set(int fd, int level, int name, uint32_t value) {
  int option = (int)value;
  if (value > 0) setsockopt(fd, level, name, &option, sizeof option);
}

void set_options(int fd, const struct settings *settings) {
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, settings->keepalive_delay > 0);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, (settings->keepalive_delay + 999) / 1000);
}

void set_patience(int fd, const struct settings *settings) {
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, (settings->keepalive_interval + 999) / 1000);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, settings->keepalive_probes);
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, settings->user_timeout);
}

/* In network order. */
static in_port_t port_of(const union address *address) {
  return address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port;
}

static void dial(struct thread *thread, struct flow *flow, const union address *target, uint32_t timeout) {
  socklen_t length = target->any.sa_family == AF_INET ? sizeof target->v4 : sizeof target->v6;
  if (!flow->in_epoll) {
    flow->in_epoll = true;
    link_flow(thread, flow);
    if (watch_side(thread, flow, CLIENT) < 0) return flow_end(thread, flow, CLIENT_FAILED, errno);
  }
  int fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE) && thread->tubes) {
    release_tubes(thread);
    fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  }
  if (fd < 0) return dial_failed(thread, flow, errno);
  flow->side[BACKEND] = (struct side){.fd = fd};
  flow->state = DIALLING;
  flow->dial_until = thread->now + timeout;
  set_options(fd, flow->settings);
  flow->has_patience = false;
  flow->dialled_in = thread->turn;
  flow->dial_port = port_of(target);
  if (connect(fd, &target->any, length) < 0 && errno != EINPROGRESS) return dial_failed(thread, flow, errno);
  if (watch_side(thread, flow, BACKEND) < 0) return dial_failed(thread, flow, errno);
  look_at(thread, flow->dial_until);
}

/* A port of this machine that nobody listens on can be connected to itself, if the system picks it as the source. */
static bool is_connected_to_itself(int fd, in_port_t port) {
  union address here, there;
  socklen_t length = sizeof here, other = sizeof there;
  if (getsockname(fd, &here.any, &length) < 0 || port_of(&here) != port) return false;
  if (getpeername(fd, &there.any, &other) < 0) return false;
  if (here.any.sa_family == AF_INET)
    return here.v4.sin_port == there.v4.sin_port && here.v4.sin_addr.s_addr == there.v4.sin_addr.s_addr;
  return here.v6.sin6_port == there.v6.sin6_port &&
         memcmp(&here.v6.sin6_addr, &there.v6.sin6_addr, sizeof here.v6.sin6_addr) == 0;
}

static void dialled(struct thread *thread, struct flow *flow, uint32_t events) {
  int error = events & (EPOLLERR | EPOLLHUP) ? socket_error(flow->side[BACKEND].fd) : 0;
  if (error == 0 && is_connected_to_itself(flow->side[BACKEND].fd, flow->dial_port)) error = ECONNREFUSED;
  if (error != 0) return dial_failed(thread, flow, error);
  flow->state = RELAYING;
  flow->active_at = thread->now;
  for (int which = CLIENT; which <= BACKEND; which++)
    flow->side[which].readable = flow->side[which].writable = true;
  tell(thread->engine, flow, TOLD_CONNECTED, 0);
  pump(thread, flow);
}

static void on_side(struct thread *thread, struct flow *flow, int which, uint32_t events) {
  struct side *side = &flow->side[which];
  if (flow->state == OVER || side->fd < 0) return;
  /* An order has closed the socket that this is about, and dialled again. */
  if (which == BACKEND && flow->dialled_in == thread->turn) return;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) side->readable = true;
  if (events & EPOLLOUT) side->writable = true;
  if (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) side->hung = true;
  if (flow->state == DIALLING && which == BACKEND) return dialled(thread, flow, events);
  if (flow->state == RELAYING) pump(thread, flow);
  /* What could not be read on (back-pressure), or was read to its end, can be reset all the same. */
  if (!(events & EPOLLERR) || flow->state == OVER) return;
  int error = socket_error(flow->side[which].fd);
  if (error != 0) flow_end(thread, flow, which == CLIENT ? CLIENT_FAILED : BACKEND_FAILED, error);
}

static void pause_listener(struct thread *thread, struct listener *listener, uint32_t ms) {
  epoll_ctl(thread->epoll, EPOLL_CTL_DEL, listener->fd, NULL);
  listener->paused = true;
  listener->paused_until = thread->now + ms;
  thread->paused++;
  look_at(thread, listener->paused_until);
}

static struct flow *new_flow(struct listener *listener, int fd, const union address *peer) {
  struct flow *flow = calloc(1, sizeof *flow);
  if (!flow) return NULL;
  flow->side[CLIENT].fd = fd;
  flow->side[BACKEND].fd = -1;
  flow->settings = &listener->settings;
  flow->listener = listener->number;
  flow->peer = *peer;
  return flow;
}

/* Accepts what waits, and tells how many that were. */
static int accept_all(struct thread *thread, struct listener *listener) {
  struct engine *engine = thread->engine;
  int accepted = 0;
  for (int tries = 0; tries < ACCEPTS; tries++) {
    /* Whoever decides is behind. The system's own queue is the place to wait: there it takes no descriptor, of which
     * there may be just enough for those that are served. */
    if (atomic_load(&engine->untaken) >= MOST_UNTAKEN) {
      atomic_store(&engine->held_back, true);
      /* Asked again, since the owner may have seen them all just before it could know that somebody waits. */
      if (atomic_load(&engine->untaken) >= MOST_UNTAKEN) {
        pause_listener(thread, listener, 0);
        break;
      }
    }
    union address peer = {0};
    socklen_t length = sizeof peer;
    int fd = accept4(listener->fd, &peer.any, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct flow *flow = fd < 0 ? NULL : new_flow(listener, fd, &peer);
    if (flow) {
      accepted++;
      atomic_fetch_add(&engine->untaken, 1);
      tell(engine, flow, TOLD_ACCEPTED, 0);
      continue;
    }
    int error = errno;
    if (fd >= 0) close(fd);
    if (fd < 0 && error == EAGAIN) break;
    if (fd < 0 && error != EMFILE && error != ENFILE && error != ENOBUFS && error != ENOMEM) continue;
    release_tubes(thread);
    if (!atomic_load(&listener->closed)) tell_accept_failed(engine, listener, error);
    pause_listener(thread, listener, PAUSE);
    break;
  }
  return accepted;
}

static void on_listener(struct thread *thread, struct listener *listener) {
  if (atomic_load(&listener->closed)) return;
  if (accept_all(thread, listener) > 0) wake(thread->engine);
}

static void follow_orders(struct thread *thread, struct flow *flow) {
  pthread_mutex_lock(&thread->lock);
  uint8_t orders = flow->orders;
  uint32_t timeout = flow->timeout;
  union address target = flow->target;
  bool freed = flow->freed, over = flow->state == OVER;
  flow->orders = 0;
  flow->ordered = false;
  uint8_t dial_number = flow->dial_ordered;
  pthread_mutex_unlock(&thread->lock);
  if (freed) return free(flow);
  if (over) return; /* the owner may have freed it by now */
  if (orders & ORDER_KILL) return flow_end(thread, flow, KILLED, 0);
  if (orders & ORDER_CLOSE) return flow_end(thread, flow, CLOSED, 0);
  if (orders & ORDER_CANCEL) {
    /* Too late, if bytes have come and gone: they must not go to another backend. */
    if (flow->state == RELAYING && !is_untouched(flow)) return flow_end(thread, flow, KILLED, 0);
    close_side(&flow->side[BACKEND], true);
    flow->state = WAITING;
  }
  if (!(orders & ORDER_DIAL) || flow->state == RELAYING) return;
  close_side(&flow->side[BACKEND], true); /* there is one only if the owner dials twice at once, which it must not */
  flow->dial = dial_number;
  dial(thread, flow, &target, timeout);
}

static void see_to_listeners(struct thread *thread);

static void on_poke(struct thread *thread) {
  uint64_t count;
  (void)!read(thread->poke, &count, sizeof count);
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

/* Listeners that are new, closed, or have paused long enough. */
static void see_to_listeners(struct thread *thread) {
  struct engine *engine = thread->engine;
  for (struct listener *listener = atomic_load(&engine->last_listener); listener; listener = listener->before) {
    if (listener->thread != thread || listener->fd < 0) continue;
    bool closed = atomic_load(&listener->closed);
    bool held_back = atomic_load(&engine->untaken) >= MOST_UNTAKEN;
    bool rested = listener->paused && !held_back && is_past(thread->now, listener->paused_until);
    if (!closed && !rested && !listener->is_new) continue;
    if (listener->paused) thread->paused--;
    listener->paused = listener->is_new = false;
    if (closed) {
      close(listener->fd);
      listener->fd = -1;
    } else if (watch(thread, listener->fd, EPOLLIN, (uintptr_t)listener | OF_LISTENER) < 0) {
      tell_accept_failed(engine, listener, errno);
      pause_listener(thread, listener, PAUSE);
    }
  }
}

static void check_times(struct thread *thread, struct flow *flow) {
  const struct settings *settings = flow->settings;
  uint32_t now = thread->now;
  if (flow->state == DIALLING && is_past(now, flow->dial_until)) dial_failed(thread, flow, ETIMEDOUT);
  if (flow->state != RELAYING) return;
  if (!flow->has_patience) {
    flow->has_patience = true;
    set_patience(flow->side[BACKEND].fd, settings);
  }
  for (int from = CLIENT; from <= BACKEND; from++) {
    const struct way *way = &flow->way[from];
    bool waiting = way->rest || (way->tube && way->tube->held > 0);
    if (waiting && longer_than(now, way->stuck_since, settings->write_timeout))
      return flow_end(thread, flow, STALLED, 0);
  }
  bool half_closed = flow->way[CLIENT].eof || flow->way[BACKEND].eof;
  if (half_closed && longer_than(now, flow->active_at, settings->half_close_timeout))
    return flow_end(thread, flow, HALF_CLOSED, 0);
  if (longer_than(now, flow->active_at, settings->idle_timeout)) flow_end(thread, flow, IDLE, 0);
}

static uint32_t sooner(uint32_t tick, uint32_t timeout) {
  uint32_t part = timeout / 8 < LEAST_TICK ? LEAST_TICK : timeout / 8;
  return timeout > 0 && part < tick ? part : tick;
}

/* Looks at all flows, and says when to look again. Pipes that are not in use by then go back to the system. */
static void sweep(struct thread *thread) {
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
    if (flow->state != DIALLING) continue;
    uint32_t left = flow->dial_until - thread->now;
    if (left < tick) tick = left < LEAST_TICK ? LEAST_TICK : left;
  }
  thread->sweep_at = thread->now + tick;
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

static bool has_to_sweep(const struct thread *thread) { return thread->flows || thread->tubes || thread->paused > 0; }

static int wait_ms(const struct thread *thread) {
  if (thread->ready) return 0;
  int most = thread->untold ? UNTOLD : -1;
  if (!has_to_sweep(thread)) return most;
  uint32_t now = clock_ms();
  int sweep = is_past(now, thread->sweep_at) ? 0 : (int)(thread->sweep_at - now) + 1;
  return most >= 0 && most < sweep ? most : sweep;
}

static int wait_for_events(struct thread *thread, struct epoll_event *events) {
  int ms = wait_ms(thread);
  atomic_store(&thread->asleep, true);
  /* Whoever calls after this look finds it asleep, and pokes. */
  if (atomic_load(&thread->called)) ms = 0;
  int count = epoll_wait(thread->epoll, events, EVENTS, ms);
  atomic_store(&thread->asleep, false);
  return count;
}

/* Tells the owner what could wait, when it has waited or there is nothing else to do. */
static void tell_in_time(struct thread *thread, int events) {
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
    thread->turn++;
    thread->now = clock_ms();
    /* First, since what is ordered may be older than what has happened. */
    on_call(thread);
    for (int index = 0; index < count; index++) {
      uintptr_t what = (uintptr_t)events[index].data.u64;
      void *pointer = (void *)(what & ~(uintptr_t)KIND);
      if (!pointer) on_poke(thread);
      else if (what & OF_LISTENER) on_listener(thread, pointer);
      else on_side(thread, pointer, (int)(what & KIND), events[index].events);
    }
    if (has_to_sweep(thread) && is_past(thread->now, thread->sweep_at)) sweep(thread);
    run_ready(thread);
    tell_what_is_over(thread);
    tell_in_time(thread, count);
  }
  return NULL;
}

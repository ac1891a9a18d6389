/* The life of a flow on its thread, from its first dial to its end: what happens to it, and what it is ordered. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

static int watch_side(struct thread *thread, struct flow *flow, int which) {
  return watch(thread, flow->side[which].fd, SIDE_EVENTS, (uintptr_t)flow | (uintptr_t)which);
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
  end_race(thread, flow);
  close_side(&flow->side[CLIENT], reset);
  close_side(&flow->side[BACKEND], reset || flow->state == DIALLING);
  if (flow->in_epoll) unlink_flow(thread, flow);
  flow->state = OVER;
  flow->reason = reason;
  flow->end_error = error;
  if (!flow->ended_first && reason == CLIENT_FAILED) flow->ended_first = CLIENT + 1;
  if (!flow->ended_first && reason == BACKEND_FAILED) flow->ended_first = BACKEND + 1;
  /* Events of this turn may still point to it: the owner is told, and may free it, when the turn is over. */
  flow->next = thread->over;
  thread->over = flow;
}

void flow_fail(struct thread *thread, struct flow *flow, int side, int error) {
  enum reason reason = side == CLIENT ? CLIENT_FAILED : BACKEND_FAILED;
  flow_end(thread, flow, is_local_error(error) ? KILLED : reason, error);
}

void free_flow(struct flow *flow) {
  for (int which = CLIENT; which <= BACKEND; which++) {
    if (flow->side[which].fd < 0) continue;
    reset_on_close(flow->side[which].fd);
    close(flow->side[which].fd);
  }
  free(flow->race_ordered);
  free(flow);
}

void dial_failed(struct thread *thread, struct flow *flow, int error) {
  close_side(&flow->side[BACKEND], true);
  flow->state = WAITING;
  tell(thread->engine, flow, TOLD_FAILED, error);
}

int dialling_socket(struct thread *thread, const struct settings *settings, const union address *target) {
  socklen_t length = target->any.sa_family == AF_INET ? sizeof target->v4 : sizeof target->v6;
  int fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 && (errno == EMFILE || errno == ENFILE) && thread->tubes) {
    release_tubes(thread);
    fd = socket(target->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  }
  if (fd < 0) return -1;
  int error = set_options(fd, settings);
  /* A connect that was interrupted goes on by itself: connect(2). */
  if (error == 0 && connect(fd, &target->any, length) < 0 && errno != EINPROGRESS && errno != EINTR) error = errno;
  if (error == 0) return fd;
  close(fd);
  errno = error;
  return -1;
}

static void dial(struct thread *thread, struct flow *flow, const union address *target, uint32_t timeout) {
  flow->dial_address = 0;
  int fd = dialling_socket(thread, flow->settings, target);
  if (fd < 0) return dial_failed(thread, flow, errno);
  flow->side[BACKEND] = (struct side){.fd = fd};
  flow->state = DIALLING;
  flow->dial_until = thread->now + timeout;
  flow->has_patience = false;
  flow->dialled_in = thread->turn;
  flow->dial_port = port_of(target);
  if (watch_side(thread, flow, BACKEND) < 0) return dial_failed(thread, flow, errno);
  look_at(thread, flow->dial_until);
}

void dial_succeeded(struct thread *thread, struct flow *flow) {
  flow->state = RELAYING;
  flow->active_at = thread->now;
  for (int which = CLIENT; which <= BACKEND; which++)
    flow->side[which].readable = flow->side[which].writable = true;
  tell(thread->engine, flow, TOLD_CONNECTED, 0);
  pump(thread, flow);
}

static void dialled(struct thread *thread, struct flow *flow, uint32_t events) {
  int error = events & (EPOLLERR | EPOLLHUP) ? socket_error(flow->side[BACKEND].fd) : 0;
  if (error == 0 && is_connected_to_itself(flow->side[BACKEND].fd, flow->dial_port)) error = ECONNREFUSED;
  if (error != 0) return dial_failed(thread, flow, error);
  dial_succeeded(thread, flow);
}

void on_side(struct thread *thread, struct flow *flow, int which, uint32_t events) {
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
  if (error != 0) flow_fail(thread, flow, which, error);
}

static void give_up_dial(struct thread *thread, struct flow *flow) {
  end_race(thread, flow);
  close_side(&flow->side[BACKEND], true);
  flow->state = WAITING;
}

void follow_orders(struct thread *thread, struct flow *flow) {
  pthread_mutex_lock(&thread->lock);
  uint8_t orders = flow->orders;
  uint32_t timeout = flow->timeout;
  union address target = flow->target;
  bool freed = flow->freed, over = flow->state == OVER;
  struct race *race = orders & ORDER_DIAL || freed ? flow->race_ordered : NULL;
  if (race) flow->race_ordered = NULL;
  flow->orders = 0;
  flow->ordered = false;
  uint8_t dial_number = flow->dial_ordered;
  pthread_mutex_unlock(&thread->lock);
  if (freed) {
    free(race);
    return free(flow);
  }
  bool ends = orders & (ORDER_KILL | ORDER_CLOSE);
  /* Too late, if bytes have come and gone: they must not go to another backend. */
  bool moved = orders & ORDER_CANCEL && !over && flow->state == RELAYING && !is_untouched(flow);
  if (over || ends || moved) free(race);
  if (over) return; /* the owner may have freed it by now */
  if (ends) return flow_end(thread, flow, orders & ORDER_KILL ? KILLED : CLOSED, 0);
  if (moved) return flow_end(thread, flow, KILLED, 0);
  if (orders & ORDER_CANCEL) give_up_dial(thread, flow);
  if (!(orders & ORDER_DIAL) || flow->state == RELAYING) return free(race);
  give_up_dial(thread, flow); /* there is one only if the owner dials twice at once, which it must not */
  flow->dial = dial_number;
  if (!flow->in_epoll) {
    flow->in_epoll = true;
    link_flow(thread, flow);
    if (watch_side(thread, flow, CLIENT) < 0) {
      free(race);
      return flow_end(thread, flow, KILLED, errno);
    }
  }
  if (race) start_race(thread, flow, race);
  else dial(thread, flow, &target, timeout);
}

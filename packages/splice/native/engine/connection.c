/* A connection on its thread, from its first dial to its end: epoll events, orders of the controller, and closing. */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

int watch_side(struct thread *thread, struct connection *connection, int which) {
  return watch(thread, connection->side[which].fd, SIDE_EVENTS, data_of_side(thread, connection, which));
}

/* Closes a side, if it is open, of a connection whose events are not handled any more. */
static void close_unwatched(struct side *side, bool reset) {
  if (side->fd < 0) return;
  if (reset && !side->was_reset) reset_on_close(side->fd);
  close(side->fd);
  *side = (struct side){.fd = -1};
}

void close_side(struct thread *thread, struct side *side, bool reset) {
  if (side->fd < 0) return;
  if (reset && !side->was_reset) reset_on_close(side->fd);
  close_watched(thread, side->fd);
  *side = (struct side){.fd = -1};
}

static void link_connection(struct thread *thread, struct connection *connection) {
  connection->next = thread->connections;
  if (thread->connections) thread->connections->previous = connection;
  thread->connections = connection;
}

static void unlink_connection(struct thread *thread, struct connection *connection) {
  if (connection->previous) connection->previous->next = connection->next;
  else thread->connections = connection->next;
  if (connection->next) connection->next->previous = connection->previous;
}

/* Whether nothing was read from either side, not even an end. */
static bool is_untouched(const struct connection *connection) {
  for (int from = CLIENT; from <= BACKEND; from++) {
    const struct direction *direction = &connection->direction[from];
    if (direction->eof || atomic_load_explicit(&direction->bytes, memory_order_relaxed) > 0) return false;
  }
  return true;
}

void end_connection(struct thread *thread, struct connection *connection, enum reason reason, int error) {
  /* Before the client can see the end, and come again. */
  if (reason == BACKEND_FAILED || connection->ended_first == BACKEND + 1) hold_stock_if_unanswered(connection);
  /* When bytes are unread, the kernel resets the connection by itself. Bytes that were read here are lost as well. */
  bool reset = reason != FINISHED && !(reason == CLOSED && is_untouched(connection));
  drop_pending(thread, connection);
  settle_wait(connection, reason);
  end_wait(thread, connection);
  end_dial(thread, connection);
  if (connection->in_epoll) {
    end_watching(thread, connection);
    unlink_connection(thread, connection);
  }
  close_unwatched(&connection->side[CLIENT], reset);
  close_unwatched(&connection->side[BACKEND], reset || connection->state == DIALLING);
  atomic_fetch_sub(&thread->load, 1);
  connection->state = OVER;
  connection->reason = (uint8_t)reason;
  connection->end_error = (uint16_t)error;
  if (!connection->ended_first && reason == CLIENT_FAILED) connection->ended_first = CLIENT + 1;
  if (!connection->ended_first && reason == BACKEND_FAILED) connection->ended_first = BACKEND + 1;
  /* Events of this tick may still point to it: it is reported, and may be freed, at the end of the tick. */
  connection->next = thread->over;
  thread->over = connection;
}

void fail_connection(struct thread *thread, struct connection *connection, int side, int error) {
  enum reason reason = side == CLIENT ? CLIENT_FAILED : BACKEND_FAILED;
  end_connection(thread, connection, is_local_error(error) ? ABORTED : reason, error);
}

void free_connection(struct connection *connection) {
  for (int which = CLIENT; which <= BACKEND; which++) {
    if (connection->side[which].fd < 0) continue;
    reset_on_close(connection->side[which].fd);
    close(connection->side[which].fd);
  }
  free_dial(connection->ordered_dial);
  free(connection);
}

void on_side(struct thread *thread, struct connection *connection, int which, uint32_t events) {
  struct side *side = &connection->side[which];
  if (connection->state == OVER || side->fd < 0) return;
  /* The event is about an earlier socket: an order of this tick has closed that and dialled again. */
  if (which == BACKEND && connection->dialled_in_tick == thread->tick) return;
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) side->readable = true;
  if (events & EPOLLOUT) side->writable = true;
  if (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) side->has_eof_or_error = true;
  if ((events & EPOLLHUP) && (events & EPOLLERR)) side->was_reset = true;
  if (connection->state == DIALLING && which == BACKEND) return on_dialled(thread, connection, events);
  if (connection->state == RELAYING) move_bytes(thread, connection);
  /* A reset also ends a side that is not read now, because of back-pressure or because its end was read. */
  if (!(events & EPOLLERR) || connection->state == OVER) return;
  int error = socket_error(side->fd);
  if (error != 0) fail_connection(thread, connection, which, error);
}

/* Takes over the dial. */
static void begin_dial(struct thread *thread, struct connection *connection, struct dial *dial) {
  connection->dial = dial;
  if (!connection->in_epoll) {
    if (!begin_watching(thread, connection)) return end_connection(thread, connection, ABORTED, ENOMEM);
    connection->in_epoll = true;
    link_connection(thread, connection);
    if (watch_side(thread, connection, CLIENT) < 0) return end_connection(thread, connection, ABORTED, errno);
  }
  start_dial(thread, connection);
}

void serve_stocked(struct thread *thread, struct connection *connection) {
  /* Once it is reported, the controller may give orders. */
  struct dial *dial = connection->ordered_dial;
  connection->ordered_dial = NULL;
  dial->number = connection->dials = 1; /* the controller counts from here */
  report(thread->engine, thread, connection, REPORT_ACCEPTED, 0);
  begin_dial(thread, connection, dial);
}

void handle_orders(struct thread *thread, struct connection *connection) {
  pthread_mutex_lock(&thread->lock);
  uint8_t orders = connection->orders;
  if (orders & ORDER_ADOPT) {
    connection->orders = 0;
    connection->order_queued = false;
    pthread_mutex_unlock(&thread->lock);
    return serve_stocked(thread, connection);
  }
  bool freed = connection->freed, over = connection->state == OVER;
  struct dial *dial = connection->ordered_dial;
  connection->ordered_dial = NULL;
  connection->orders = 0;
  connection->order_queued = false;
  pthread_mutex_unlock(&thread->lock);
  if (freed) free(connection);
  /* When it is over, the controller may have freed it by now. */
  if (freed || over) return free_dial(dial);
  bool ends = orders & (ORDER_ABORT | ORDER_CLOSE);
  /* The dial has succeeded and bytes have moved. They must not go to another backend: the connection is reset. */
  bool moved = orders & ORDER_CANCEL && connection->state == RELAYING && !is_untouched(connection);
  if (ends || moved) {
    free_dial(dial);
    bool closes = ends && !(orders & ORDER_ABORT);
    return end_connection(thread, connection, closes ? CLOSED : ABORTED, 0);
  }
  if (orders & ORDER_CANCEL) abandon_dial(thread, connection);
  if (!dial || connection->state == RELAYING) return free_dial(dial);
  abandon_dial(thread, connection); /* for a controller that dials twice at once, which it must not */
  begin_dial(thread, connection, dial);
}

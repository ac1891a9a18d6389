/*
 * Moves the bytes of a connection, direction by direction. Small messages are copied through one buffer of the
 * thread, in two system calls each. A direction that keeps filling the buffer is spliced through a pipe instead. The
 * pipe goes back to the thread whenever it is empty, so that an idle connection holds nothing but its two
 * descriptors.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  READS_PER_TURN = 16, BYTES_PER_TURN = 1024 * 1024, /* of one direction, before other connections go on */
  BULK = 4, MAX_BULK = 8, /* full reads until splicing starts; how many are counted */
  BULKY_SPLICE = BUFFER / 4,
};

/* WAITS: for the connection's next turn. */
enum outcome { MOVED, NOTHING, WAITS, READ_FAILED, WRITE_FAILED };

void drop_pending(struct thread *thread, struct connection *connection) {
  for (int from = CLIENT; from <= BACKEND; from++) {
    struct direction *direction = &connection->direction[from];
    free(direction->pending);
    direction->pending = NULL;
    free(direction->unacked);
    direction->unacked = NULL;
    return_pipe(thread, direction);
  }
}

static void count_read(struct thread *thread, struct connection *connection, int from, size_t bytes) {
  struct direction *direction = &connection->direction[from];
  uint64_t before = atomic_load_explicit(&direction->bytes, memory_order_relaxed);
  direction->moved = true;
  connection->active_at = thread->now;
  thread->bytes_in_turns += bytes;
  if (from == CLIENT) client_sent(thread, connection);
  else backend_answered(thread, connection);
  /* Last, for engine_answered: a thread that sees the first byte sees when it came. */
  atomic_store_explicit(&direction->bytes, before + bytes, memory_order_release);
}

/* Keeps bytes that the writing side did not take. */
static enum outcome keep_pending(struct thread *thread, struct direction *direction, const uint8_t *bytes,
                                 size_t length) {
  struct pending *pending = malloc(sizeof *pending + length);
  if (!pending) return WRITE_FAILED;
  *pending = (struct pending){.end = (uint32_t)length};
  memcpy(pending->bytes, bytes, length);
  direction->pending = pending;
  direction->progress_at = thread->now;
  return MOVED;
}

/* Nagle's algorithm delays no first write, and many connections have one: TCP_NODELAY is set before the second. The first
 * is sent in full segments and a short last one, which Linux delays only if an earlier short one is unacknowledged. */
static void before_write(struct side *to) {
  if (to->was_written && !to->has_no_delay) to->has_no_delay = set_no_delay(to->fd) == 0;
  to->was_written = true;
}

/* Sends what `to` takes now, and returns how much that is; -1 if the connection is lost. */
static ssize_t send_some(struct side *to, const uint8_t *bytes, size_t length) {
  before_write(to);
  ssize_t sent = RETRIED(send(to->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT));
  if (sent < 0 && errno != EAGAIN) return -1;
  if (sent < 0) sent = 0;
  if ((size_t)sent < length) to->writable = false;
  return sent;
}

/* Writes pending bytes. NOTHING: some are still pending. */
static enum outcome flush_pending(struct thread *thread, struct direction *direction, struct side *to) {
  struct pending *pending = direction->pending;
  if (pending) {
    if (!to->writable) return NOTHING;
    ssize_t sent = send_some(to, pending->bytes + pending->start, pending->end - pending->start);
    if (sent < 0) return WRITE_FAILED;
    if (sent > 0) direction->progress_at = thread->now;
    pending->start += (uint32_t)sent;
    if (pending->start < pending->end) return NOTHING;
    free(pending);
    direction->pending = NULL;
  }
  struct pipe *pipe = direction->pipe;
  while (pipe && pipe->length > 0) {
    if (!to->writable) return NOTHING;
    before_write(to);
    ssize_t sent = RETRIED(splice(pipe->out, NULL, to->fd, NULL, pipe->length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
    if (sent < 0 && errno != EAGAIN) return WRITE_FAILED;
    if (sent <= 0) {
      to->writable = false;
      return NOTHING;
    }
    direction->progress_at = thread->now;
    pipe->length -= (uint32_t)sent;
  }
  return MOVED;
}

static enum outcome copy_bytes(struct thread *thread, struct connection *connection, int from) {
  struct direction *direction = &connection->direction[from];
  struct side *source = &connection->side[from], *to = &connection->side[!from];
  ssize_t got = RETRIED(recv(source->fd, thread->buffer, BUFFER, MSG_DONTWAIT));
  if (got < 0) {
    source->readable = false;
    return errno == EAGAIN ? NOTHING : READ_FAILED;
  }
  if (got == 0) {
    direction->eof = true;
    if (from == BACKEND) end_wait(thread, connection);
    else client_ended(connection);
    if (!connection->ended_first) connection->ended_first = (uint8_t)(from + 1);
    connection->active_at = thread->now;
    return MOVED;
  }
  count_read(thread, connection, from, (size_t)got);
  if (got == BUFFER) {
    if (direction->bulk < MAX_BULK) direction->bulk++;
  } else {
    direction->bulk = direction->bulk > 1 ? direction->bulk - 2 : 0;
    /* The socket is empty, and what comes next is a new edge. An end or an error has had its edge: read on. */
    if (!source->has_eof_or_error) source->readable = false;
  }
  ssize_t sent = send_some(to, thread->buffer, (size_t)got);
  if (sent < 0) return WRITE_FAILED;
  return sent < got ? keep_pending(thread, direction, thread->buffer + sent, (size_t)(got - sent)) : MOVED;
}

static enum outcome splice_in(struct thread *thread, struct connection *connection, int from) {
  struct direction *direction = &connection->direction[from];
  struct side *source = &connection->side[from];
  struct pipe *pipe = direction->pipe;
  /* The pipe is empty, so EAGAIN is about the socket. SPLICE_F_MORE would delay a short last segment by 200 ms. */
  ssize_t got = RETRIED(splice(source->fd, NULL, pipe->in, NULL, pipe->size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
  if (got <= 0) {
    return_pipe(thread, direction);
    bool no_more = got == 0 || errno == EAGAIN;
    if (!no_more && !is_local_error(errno)) return READ_FAILED; /* the next call would not return it again */
    if (!no_more) direction->bulk = 0; /* this socket cannot be spliced, or a sandbox forbids it */
    /* In front of urgent data splice returns the same as at the end of the bytes; recv tells them apart. */
    return copy_bytes(thread, connection, from);
  }
  count_read(thread, connection, from, (size_t)got);
  pipe->length = (uint32_t)got;
  direction->progress_at = thread->now;
  if (got < BULKY_SPLICE) direction->bulk--;
  else if (direction->bulk < MAX_BULK) direction->bulk++;
  return MOVED;
}

/* Writes what is pending, passes on the end, or reads. NOTHING: the next epoll event decides when to go on. `limit`: of
 * the direction's bytes in this turn. */
static enum outcome step(struct thread *thread, struct connection *connection, int from, uint64_t limit) {
  struct direction *direction = &connection->direction[from];
  struct side *source = &connection->side[from], *to = &connection->side[!from];
  enum outcome outcome = flush_pending(thread, direction, to);
  if (outcome != MOVED) return outcome;
  if (direction->eof && !direction->write_side_closed) {
    /* Before the client can see the end, and come again. */
    if (from == BACKEND && connection->ended_first == BACKEND + 1) hold_stock_if_unanswered(connection);
    if (shutdown(to->fd, SHUT_WR) < 0) {
      if (errno == ENOTCONN) errno = EPIPE; /* it was reset, and epoll has not yet reported that */
      return WRITE_FAILED;
    }
    direction->write_side_closed = true;
    direction->progress_at = thread->now;
    direction->all_acked = false;
  }
  bool more = !direction->eof && source->readable && to->writable;
  bool bulk = more && direction->bulk >= BULK;
  bool is_over = !thread->in_turns || atomic_load_explicit(&direction->bytes, memory_order_relaxed) >= limit;
  if (direction->pipe && (!bulk || is_over)) return_pipe(thread, direction);
  if (!more) return NOTHING;
  if (bulk && is_over) return WAITS;
  if (bulk && !direction->pipe) direction->pipe = take_pipe(thread);
  return direction->pipe ? splice_in(thread, connection, from) : copy_bytes(thread, connection, from);
}

/* False when the connection has ended. */
static bool move_one_way(struct thread *thread, struct connection *connection, int from) {
  const struct direction *direction = &connection->direction[from];
  uint64_t limit = atomic_load_explicit(&direction->bytes, memory_order_relaxed) + BYTES_PER_TURN;
  for (int reads = 0; reads < READS_PER_TURN; reads++) {
    enum outcome outcome = step(thread, connection, from, limit);
    if (outcome == NOTHING) return true;
    if (outcome == WAITS) break;
    if (outcome == MOVED) continue;
    fail_connection(thread, connection, outcome == READ_FAILED ? from : !from, errno);
    return false;
  }
  wait_for_turn(thread, connection);
  return true;
}

/*
 * Both sides have ended their output and have acknowledged all that was sent to them. If the sockets were closed
 * earlier, the kernel could drop what it still has (tcp_mem, tcp_max_orphans) or find the peer gone, and that would
 * go unnoticed. The last acknowledgement closes the connection, which is an epoll event. What was
 * sent to a client of a Unix socket is its own at once.
 */
static bool is_finished(const struct connection *connection) {
  const struct direction *direction = connection->direction;
  if (!direction[CLIENT].write_side_closed || !direction[BACKEND].write_side_closed) return false;
  if (connection->peer.any.sa_family != AF_UNIX && has_unacked(connection->side[CLIENT].fd)) return false;
  return !has_unacked(connection->side[BACKEND].fd);
}

void move_bytes(struct thread *thread, struct connection *connection) {
  if (!move_one_way(thread, connection, CLIENT) || !move_one_way(thread, connection, BACKEND)) return;
  if (is_finished(connection)) end_connection(thread, connection, FINISHED, 0);
}

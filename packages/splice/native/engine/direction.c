/*
 * Moves the bytes of a flow. Small messages are copied through one buffer of the thread, in two system calls
 * each. A direction that keeps filling the buffer is spliced through a pipe instead, and the pipe goes back to
 * the thread whenever it is empty, so that an idle connection holds nothing but its two descriptors.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
  READS_PER_TICK = 16,              /* reads of one direction before others have their turn */
  BULK = 4, MAX_BULK = 8, /* full reads until splicing starts; how many are remembered */
  SMALL_SPLICE = BUFFER / 4,      /* a splice of less than this is no bulk */
  PIPES_PER_THREAD = 64,              /* pipes of a thread; without one, bytes are copied */
  PIPE_SIZE = 256 * 1024, MIN_PIPE_SIZE = BUFFER, /* one that takes less is worse than copying */
};

/* A sixteenth of the descriptors that are not kept for other things, so that there are enough for connections. */
unsigned engine_pipe_limit(unsigned threads) {
  struct rlimit descriptors;
  unsigned most = threads * PIPES_PER_THREAD;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) < 0 || descriptors.rlim_cur == RLIM_INFINITY) return most;
  rlim_t kept = descriptors.rlim_cur / 2 < KEPT_DESCRIPTORS ? descriptors.rlim_cur / 2 : KEPT_DESCRIPTORS;
  rlim_t share = (descriptors.rlim_cur - kept) / 32;
  return share < most ? (unsigned)share : most;
}

int highest_pipe(void) {
  struct rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) < 0 || descriptors.rlim_cur > INT_MAX) return INT_MAX;
  int limit = (int)descriptors.rlim_cur, kept = KEPT_DESCRIPTORS / 2;
  return limit - (limit / 4 < kept ? limit / 4 : kept);
}

/* What became of an attempt to move something. */
enum outcome { MOVED, NOTHING, READ_FAILED, WRITE_FAILED };

/* What fits into a pipe, made as large as the system allows: there is a limit for each user (pipe-user-pages-soft). */
static int enlarge(int fd) {
  int size = fcntl(fd, F_SETPIPE_SZ, PIPE_SIZE);
  if (size < 0) size = fcntl(fd, F_GETPIPE_SZ);
  return size;
}

static struct pipe *new_pipe(struct thread *thread) {
  struct engine *engine = thread->engine;
  int fds[2] = {-1, -1}, size = 0;
  if (atomic_fetch_sub(&engine->pipes_left, 1) > 0 && pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0) {
    bool near_limit = fds[0] > engine->highest_pipe || fds[1] > engine->highest_pipe;
    if (!near_limit) size = enlarge(fds[1]);
    struct pipe *pipe = size >= MIN_PIPE_SIZE ? malloc(sizeof *pipe) : NULL;
    if (pipe) {
      *pipe = (struct pipe){.in = fds[1], .out = fds[0], .size = size < PIPE_SIZE ? (uint32_t)size : PIPE_SIZE};
      return pipe;
    }
    close(fds[0]);
    close(fds[1]);
  }
  atomic_fetch_add(&engine->pipes_left, 1);
  return NULL;
}

static struct pipe *take_pipe(struct thread *thread) {
  struct pipe *pipe = thread->idle_pipes;
  if (pipe) {
    thread->idle_pipes = pipe->next;
    return pipe;
  }
  if (thread->lacks_pipes || thread->pipe_count == PIPES_PER_THREAD) return NULL;
  pipe = new_pipe(thread);
  if (pipe) thread->pipe_count++;
  else thread->lacks_pipes = true; /* not tried again at each read */
  return pipe;
}

static void destroy_pipe(struct thread *thread, struct pipe *pipe) {
  close(pipe->in);
  close(pipe->out);
  free(pipe);
  thread->pipe_count--;
  atomic_fetch_add(&thread->engine->pipes_left, 1);
}

static void return_pipe(struct thread *thread, struct direction *direction) {
  struct pipe *pipe = direction->pipe;
  direction->pipe = NULL;
  pipe->next = thread->idle_pipes;
  thread->idle_pipes = pipe;
}

void close_idle_pipes(struct thread *thread) {
  thread->lacks_pipes = false;
  while (thread->idle_pipes) {
    struct pipe *pipe = thread->idle_pipes;
    thread->idle_pipes = pipe->next;
    destroy_pipe(thread, pipe);
  }
}

void drop_pending(struct thread *thread, struct connection *connection) {
  for (int from = CLIENT; from <= BACKEND; from++) {
    struct direction *direction = &connection->direction[from];
    free(direction->pending);
    direction->pending = NULL;
    if (!direction->pipe) continue;
    if (direction->pipe->length == 0) {
      return_pipe(thread, direction);
    } else {
      destroy_pipe(thread, direction->pipe); /* cheaper than emptying it */
      direction->pipe = NULL;
    }
  }
}

static void count_bytes(struct direction *direction, struct connection *connection, struct thread *thread, size_t bytes) {
  uint64_t before = atomic_load_explicit(&direction->bytes, memory_order_relaxed);
  atomic_store_explicit(&direction->bytes, before + bytes, memory_order_relaxed);
  connection->active_at = thread->now;
}

/* Bytes are kept that `to` does not take now. */
static enum outcome keep_pending(struct thread *thread, struct direction *direction, const uint8_t *bytes, size_t length) {
  direction->pending = malloc(length);
  if (!direction->pending) return WRITE_FAILED;
  memcpy(direction->pending, bytes, length);
  direction->pending_start = 0;
  direction->pending_end = (uint32_t)length;
  direction->progress_at = thread->now;
  return MOVED;
}

/* Sends, and tells how many bytes were taken; -1 if the connection is lost. */
static ssize_t send_some(struct side *to, const uint8_t *bytes, size_t length) {
  ssize_t sent = RETRIED(send(to->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT));
  if (sent < 0 && errno != EAGAIN) return -1;
  if (sent < 0) sent = 0;
  if ((size_t)sent < length) to->writable = false;
  return sent;
}

/* Writes what is held. NOTHING: something is still held. */
static enum outcome flush_pending(struct thread *thread, struct direction *direction, struct side *to) {
  if (direction->pending) {
    if (!to->writable) return NOTHING;
    ssize_t sent = send_some(to, direction->pending + direction->pending_start, direction->pending_end - direction->pending_start);
    if (sent < 0) return WRITE_FAILED;
    if (sent > 0) direction->progress_at = thread->now;
    direction->pending_start += (uint32_t)sent;
    if (direction->pending_start < direction->pending_end) return NOTHING;
    free(direction->pending);
    direction->pending = NULL;
  }
  while (direction->pipe && direction->pipe->length > 0) {
    if (!to->writable) return NOTHING;
    ssize_t sent =
        RETRIED(splice(direction->pipe->out, NULL, to->fd, NULL, direction->pipe->length, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
    if (sent < 0 && errno != EAGAIN) return WRITE_FAILED;
    if (sent <= 0) {
      to->writable = false;
      return NOTHING;
    }
    direction->progress_at = thread->now;
    direction->pipe->length -= (uint32_t)sent;
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
    if (!connection->ended_first) connection->ended_first = (uint8_t)(from + 1);
    connection->active_at = thread->now;
    return MOVED;
  }
  count_bytes(direction, connection, thread, (size_t)got);
  if (got == BUFFER) {
    if (direction->bulk < MAX_BULK) direction->bulk++;
  } else {
    direction->bulk = direction->bulk > 1 ? direction->bulk - 2 : 0;
    /* There was no more; what comes makes a new edge. What `hung` is about has made its own already. */
    if (!source->has_eof_or_error) source->readable = false;
  }
  ssize_t sent = send_some(to, thread->buffer, (size_t)got);
  if (sent < 0) return WRITE_FAILED;
  return sent < got ? keep_pending(thread, direction, thread->buffer + sent, (size_t)(got - sent)) : MOVED;
}

static enum outcome splice_in(struct thread *thread, struct connection *connection, int from) {
  struct direction *direction = &connection->direction[from];
  struct side *source = &connection->side[from];
  /* The pipe is empty, so EAGAIN speaks of the socket. SPLICE_F_MORE would hold small ends back for 200 ms. */
  ssize_t got =
      RETRIED(splice(source->fd, NULL, direction->pipe->in, NULL, direction->pipe->size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
  if (got <= 0) {
    return_pipe(thread, direction);
    bool no_more = got == 0 || errno == EAGAIN;
    if (!no_more && !is_local_error(errno)) return READ_FAILED; /* which only one call is told */
    if (!no_more) direction->bulk = 0; /* this socket cannot be spliced, or a sandbox forbids it */
    /* Before urgent data splice says the same as at the end of what there is; recv knows better. */
    return copy_bytes(thread, connection, from);
  }
  count_bytes(direction, connection, thread, (size_t)got);
  direction->pipe->length = (uint32_t)got;
  direction->progress_at = thread->now;
  if (got < SMALL_SPLICE) direction->bulk--;
  else if (direction->bulk < MAX_BULK) direction->bulk++;
  return MOVED;
}

/* Writes what is held, passes on the end, or reads. NOTHING: there is nothing more to do until epoll says so. */
static enum outcome step(struct thread *thread, struct connection *connection, int from) {
  struct direction *direction = &connection->direction[from];
  struct side *source = &connection->side[from], *to = &connection->side[!from];
  enum outcome outcome = flush_pending(thread, direction, to);
  if (outcome != MOVED) return outcome;
  if (direction->eof && !direction->write_side_closed) {
    if (shutdown(to->fd, SHUT_WR) < 0) {
      if (errno == ENOTCONN) errno = EPIPE; /* it was reset, and epoll has not said so yet */
      return WRITE_FAILED;
    }
    direction->write_side_closed = true;
    direction->all_acked = false;
  }
  bool more = !direction->eof && source->readable && to->writable;
  bool bulk = more && direction->bulk >= BULK;
  if (direction->pipe && !bulk) return_pipe(thread, direction);
  if (!more) return NOTHING;
  if (bulk && !direction->pipe) direction->pipe = take_pipe(thread);
  return direction->pipe ? splice_in(thread, connection, from) : copy_bytes(thread, connection, from);
}

/* One direction. Tells false when the flow has ended. */
static bool move_bytes_from(struct thread *thread, struct connection *connection, int from) {
  for (int reads = 0; reads < READS_PER_TICK; reads++) {
    enum outcome outcome = step(thread, connection, from);
    if (outcome == NOTHING) return true;
    if (outcome == MOVED) continue;
    fail_connection(thread, connection, outcome == READ_FAILED ? from : !from, errno);
    return false;
  }
  if (!connection->is_ready) {
    connection->is_ready = true;
    connection->next_ready = thread->ready;
    thread->ready = connection;
  }
  return true;
}

/*
 * Both have ended their output, and have acknowledged all that was sent to them. Closed before that, the kernel may throw
 * away what it still has (tcp_mem, tcp_max_orphans), or find that the peer is gone, and nobody would know. The last
 * acknowledgement closes the connection, which is an event.
 */
static bool is_finished(const struct connection *connection) {
  if (!connection->direction[CLIENT].write_side_closed || !connection->direction[BACKEND].write_side_closed) return false;
  return !has_unacked(connection->side[CLIENT].fd) && !has_unacked(connection->side[BACKEND].fd);
}

void move_bytes(struct thread *thread, struct connection *connection) {
  if (!move_bytes_from(thread, connection, CLIENT) || !move_bytes_from(thread, connection, BACKEND)) return;
  if (is_finished(connection)) end_connection(thread, connection, FINISHED, 0);
}

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
  TURNS = 16,              /* reads of one direction before others have their turn */
  BULK = 4, MOST_BULK = 8, /* full reads until splicing starts; how many are remembered */
  SMALL = BUFFER / 4,      /* a splice of less than this is no bulk */
  TUBES = 64,              /* pipes of a thread; without one, bytes are copied */
  TUBE_SIZE = 256 * 1024, LEAST_TUBE_SIZE = BUFFER, /* one that takes less is worse than copying */
};

/* A sixteenth of the descriptors that are not kept for other things, so that there are enough for connections. */
unsigned engine_pipe_limit(unsigned threads) {
  struct rlimit descriptors;
  unsigned most = threads * TUBES;
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
static int enlarge(int pipe) {
  int size = fcntl(pipe, F_SETPIPE_SZ, TUBE_SIZE);
  if (size < 0) size = fcntl(pipe, F_GETPIPE_SZ);
  return size;
}

static struct tube *new_tube(struct thread *thread) {
  struct engine *engine = thread->engine;
  int fds[2] = {-1, -1}, size = 0;
  if (atomic_fetch_sub(&engine->pipes_left, 1) > 0 && pipe2(fds, O_NONBLOCK | O_CLOEXEC) == 0) {
    bool near_limit = fds[0] > engine->highest_pipe || fds[1] > engine->highest_pipe;
    if (!near_limit) size = enlarge(fds[1]);
    struct tube *tube = size >= LEAST_TUBE_SIZE ? malloc(sizeof *tube) : NULL;
    if (tube) {
      *tube = (struct tube){.in = fds[1], .out = fds[0], .size = size < TUBE_SIZE ? (uint32_t)size : TUBE_SIZE};
      return tube;
    }
    close(fds[0]);
    close(fds[1]);
  }
  atomic_fetch_add(&engine->pipes_left, 1);
  return NULL;
}

static struct tube *take_tube(struct thread *thread) {
  struct tube *tube = thread->tubes;
  if (tube) {
    thread->tubes = tube->next;
    return tube;
  }
  if (thread->lacks_tubes || thread->tube_count == TUBES) return NULL;
  tube = new_tube(thread);
  if (tube) thread->tube_count++;
  else thread->lacks_tubes = true; /* not tried again at each read */
  return tube;
}

static void destroy_tube(struct thread *thread, struct tube *tube) {
  close(tube->in);
  close(tube->out);
  free(tube);
  thread->tube_count--;
  atomic_fetch_add(&thread->engine->pipes_left, 1);
}

static void give_back_tube(struct thread *thread, struct way *way) {
  struct tube *tube = way->tube;
  way->tube = NULL;
  tube->next = thread->tubes;
  thread->tubes = tube;
}

void release_tubes(struct thread *thread) {
  thread->lacks_tubes = false;
  while (thread->tubes) {
    struct tube *tube = thread->tubes;
    thread->tubes = tube->next;
    destroy_tube(thread, tube);
  }
}

void drop_held(struct thread *thread, struct flow *flow) {
  for (int from = CLIENT; from <= BACKEND; from++) {
    struct way *way = &flow->way[from];
    free(way->rest);
    way->rest = NULL;
    if (!way->tube) continue;
    if (way->tube->held == 0) {
      give_back_tube(thread, way);
    } else {
      destroy_tube(thread, way->tube); /* cheaper than emptying it */
      way->tube = NULL;
    }
  }
}

static void count(struct way *way, struct flow *flow, struct thread *thread, size_t bytes) {
  uint64_t before = atomic_load_explicit(&way->bytes, memory_order_relaxed);
  atomic_store_explicit(&way->bytes, before + bytes, memory_order_relaxed);
  flow->active_at = thread->now;
}

/* Bytes are kept that `to` does not take now. */
static enum outcome keep(struct thread *thread, struct way *way, const uint8_t *bytes, size_t length) {
  way->rest = malloc(length);
  if (!way->rest) return WRITE_FAILED;
  memcpy(way->rest, bytes, length);
  way->rest_at = 0;
  way->rest_end = (uint32_t)length;
  way->stuck_since = thread->now;
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
static enum outcome flush(struct thread *thread, struct way *way, struct side *to) {
  if (way->rest) {
    if (!to->writable) return NOTHING;
    ssize_t sent = send_some(to, way->rest + way->rest_at, way->rest_end - way->rest_at);
    if (sent < 0) return WRITE_FAILED;
    if (sent > 0) way->stuck_since = thread->now;
    way->rest_at += (uint32_t)sent;
    if (way->rest_at < way->rest_end) return NOTHING;
    free(way->rest);
    way->rest = NULL;
  }
  while (way->tube && way->tube->held > 0) {
    if (!to->writable) return NOTHING;
    ssize_t sent =
        RETRIED(splice(way->tube->out, NULL, to->fd, NULL, way->tube->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
    if (sent < 0 && errno != EAGAIN) return WRITE_FAILED;
    if (sent <= 0) {
      to->writable = false;
      return NOTHING;
    }
    way->stuck_since = thread->now;
    way->tube->held -= (uint32_t)sent;
  }
  return MOVED;
}

static enum outcome copy(struct thread *thread, struct flow *flow, int from) {
  struct way *way = &flow->way[from];
  struct side *source = &flow->side[from], *to = &flow->side[!from];
  ssize_t got = RETRIED(recv(source->fd, thread->buffer, BUFFER, MSG_DONTWAIT));
  if (got < 0) {
    source->readable = false;
    return errno == EAGAIN ? NOTHING : READ_FAILED;
  }
  if (got == 0) {
    way->eof = true;
    if (!flow->ended_first) flow->ended_first = (uint8_t)(from + 1);
    flow->active_at = thread->now;
    return MOVED;
  }
  count(way, flow, thread, (size_t)got);
  if (got == BUFFER) {
    if (way->bulk < MOST_BULK) way->bulk++;
  } else {
    way->bulk = way->bulk > 1 ? way->bulk - 2 : 0;
    /* There was no more; what comes makes a new edge. What `hung` is about has made its own already. */
    if (!source->hung) source->readable = false;
  }
  ssize_t sent = send_some(to, thread->buffer, (size_t)got);
  if (sent < 0) return WRITE_FAILED;
  return sent < got ? keep(thread, way, thread->buffer + sent, (size_t)(got - sent)) : MOVED;
}

static enum outcome splice_in(struct thread *thread, struct flow *flow, int from) {
  struct way *way = &flow->way[from];
  struct side *source = &flow->side[from];
  /* The pipe is empty, so EAGAIN speaks of the socket. SPLICE_F_MORE would hold small ends back for 200 ms. */
  ssize_t got =
      RETRIED(splice(source->fd, NULL, way->tube->in, NULL, way->tube->size, SPLICE_F_MOVE | SPLICE_F_NONBLOCK));
  if (got <= 0) {
    give_back_tube(thread, way);
    bool no_more = got == 0 || errno == EAGAIN;
    if (!no_more && !is_local_error(errno)) return READ_FAILED; /* which only one call is told */
    if (!no_more) way->bulk = 0; /* this socket cannot be spliced, or a sandbox forbids it */
    /* Before urgent data splice says the same as at the end of what there is; recv knows better. */
    return copy(thread, flow, from);
  }
  count(way, flow, thread, (size_t)got);
  way->tube->held = (uint32_t)got;
  way->stuck_since = thread->now;
  if (got < SMALL) way->bulk--;
  else if (way->bulk < MOST_BULK) way->bulk++;
  return MOVED;
}

/* Writes what is held, passes on the end, or reads. NOTHING: there is nothing more to do until epoll says so. */
static enum outcome step(struct thread *thread, struct flow *flow, int from) {
  struct way *way = &flow->way[from];
  struct side *source = &flow->side[from], *to = &flow->side[!from];
  enum outcome outcome = flush(thread, way, to);
  if (outcome != MOVED) return outcome;
  if (way->eof && !way->shut) {
    if (shutdown(to->fd, SHUT_WR) < 0) {
      if (errno == ENOTCONN) errno = EPIPE; /* it was reset, and epoll has not said so yet */
      return WRITE_FAILED;
    }
    way->shut = true;
    way->settled = false;
  }
  bool more = !way->eof && source->readable && to->writable;
  bool bulk = more && way->bulk >= BULK;
  if (way->tube && !bulk) give_back_tube(thread, way);
  if (!more) return NOTHING;
  if (bulk && !way->tube) way->tube = take_tube(thread);
  return way->tube ? splice_in(thread, flow, from) : copy(thread, flow, from);
}

/* One direction. Tells false when the flow has ended. */
static bool pump_way(struct thread *thread, struct flow *flow, int from) {
  for (int turn = 0; turn < TURNS; turn++) {
    enum outcome outcome = step(thread, flow, from);
    if (outcome == NOTHING) return true;
    if (outcome == MOVED) continue;
    flow_fail(thread, flow, outcome == READ_FAILED ? from : !from, errno);
    return false;
  }
  if (!flow->is_ready) {
    flow->is_ready = true;
    flow->next_ready = thread->ready;
    thread->ready = flow;
  }
  return true;
}

/*
 * Both have ended their output, and have acknowledged all that was sent to them. Closed before that, the kernel may throw
 * away what it still has (tcp_mem, tcp_max_orphans), or find that the peer is gone, and nobody would know. The last
 * acknowledgement closes the connection, which is an event.
 */
static bool is_finished(const struct flow *flow) {
  if (!flow->way[CLIENT].shut || !flow->way[BACKEND].shut) return false;
  return !has_pending(flow->side[CLIENT].fd) && !has_pending(flow->side[BACKEND].fd);
}

void pump(struct thread *thread, struct flow *flow) {
  if (!pump_way(thread, flow, CLIENT) || !pump_way(thread, flow, BACKEND)) return;
  if (is_finished(flow)) flow_end(thread, flow, FINISHED, 0);
}

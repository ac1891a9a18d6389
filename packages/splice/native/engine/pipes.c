/* The pipes that bytes are spliced through: how many there may be, and which are idle. */
#define _GNU_SOURCE
#include "internal.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum {
  PIPE_SIZE = 512 * 1024, /* with half of it, bulk costs a fifth more CPU time */
  /* Of all threads: half of what all processes of a user may have by default (pipe-user-pages-soft). They are held while a
   * reader is slow, and for a turn each otherwise. */
  MOST_PIPES = 64,
  MIN_PIPE_SIZE = BUFFER, /* splicing through a smaller pipe is slower than copying */
  /* Descriptors that are for neither connections nor pipes: as in connection-limit.ts of @gw/tcpproxy. */
  RESERVED_DESCRIPTORS = 64,
};

/* A 32nd of the descriptors that are not reserved, two for each pipe: 15/16 of them stay free for connections. */
unsigned engine_pipe_limit(void) {
  struct rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) < 0 || descriptors.rlim_cur == RLIM_INFINITY) return MOST_PIPES;
  rlim_t half = descriptors.rlim_cur / 2;
  rlim_t reserved = half < RESERVED_DESCRIPTORS ? half : RESERVED_DESCRIPTORS;
  rlim_t share = (descriptors.rlim_cur - reserved) / 32;
  return share < MOST_PIPES ? (unsigned)share : MOST_PIPES;
}

int highest_pipe(void) {
  struct rlimit descriptors;
  if (getrlimit(RLIMIT_NOFILE, &descriptors) < 0 || descriptors.rlim_cur > INT_MAX) return INT_MAX;
  int limit = (int)descriptors.rlim_cur, reserved = RESERVED_DESCRIPTORS / 2;
  return limit - (limit / 4 < reserved ? limit / 4 : reserved);
}

/* Makes a pipe as large as the system allows, and returns its size. Users have limits: pipe-max-size for each pipe,
 * pipe-user-pages-soft for all. */
static int enlarge(int fd) {
  int size = fcntl(fd, F_GETPIPE_SZ), larger = -1;
  for (int wanted = PIPE_SIZE; larger < 0 && wanted > size && wanted >= MIN_PIPE_SIZE; wanted /= 2)
    larger = fcntl(fd, F_SETPIPE_SZ, wanted);
  return larger < 0 ? size : larger;
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

static void destroy_pipe(struct thread *thread, struct pipe *pipe) {
  close(pipe->in);
  close(pipe->out);
  free(pipe);
  atomic_fetch_add(&thread->engine->pipes_left, 1);
}

struct pipe *take_pipe(struct thread *thread) {
  struct pipe *pipe = thread->idle_pipes;
  if (pipe) {
    thread->idle_pipes = pipe->next;
    return pipe;
  }
  if (thread->lacks_pipes) return NULL;
  pipe = new_pipe(thread);
  if (!pipe) thread->lacks_pipes = true; /* so that it is not tried again at each read */
  return pipe;
}

void return_pipe(struct thread *thread, struct direction *direction) {
  struct pipe *pipe = direction->pipe;
  if (!pipe) return;
  direction->pipe = NULL;
  if (pipe->length > 0) return destroy_pipe(thread, pipe); /* cheaper than emptying it */
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

/* The pipes of a thread, which it makes when bytes are spliced and keeps until timeouts are next checked. */
#ifndef GW_PIPES_H
#define GW_PIPES_H

#include <stdint.h>

struct direction;
struct thread;

struct pipe {
  struct pipe *next; /* among the idle ones of its thread */
  int in, out;
  uint32_t length, size; /* bytes in it, bytes that fit */
};

/* The highest descriptor that a pipe may have, so that some stay free for other things. */
int highest_pipe(void);
/* An idle pipe or a new one; NULL if there may be no more. */
struct pipe *take_pipe(struct thread *);
/* Takes the pipe of a direction back, if it has one. A pipe that is not empty is closed. */
void return_pipe(struct thread *, struct direction *);
void close_idle_pipes(struct thread *);

#endif

/* A connection as a session plays it. */
#ifndef GW_STRESS_SESSION_H
#define GW_STRESS_SESSION_H

#include "stress.h"

enum { CHUNK = 256 * 1024 };

/* One end of a connection. */
struct end {
  int fd; /* -1: none, or it has reset itself */
  uint64_t stream, to_send, sent, received, reset_after, urgent_after, rest_until;
  bool exists, shut, eof, reset_itself;
  bool lazy, hasty; /* pauses often; may reset after it has ended its output */
  int failed; /* an errno: the connection was reset under it */
};

struct connection {
  struct session *session;
  uint64_t id, progress_at;
  uint64_t *random;
  uint8_t *buffer;    /* CHUNK bytes */
  struct end ends[2]; /* of the client and of its backend */
};

/* end.c */
struct end new_end(const struct connection *, int which, uint64_t to_send);
/* Whether there is nothing more to be learnt at this end. */
bool is_settled(const struct end *);
/* What to poll for; 0 while it rests. */
short wanted(const struct end *, uint64_t now);
/* Does what can be done and what comes to mind, after poll. */
void act(struct connection *, int which, short events);

/* judge.c */
/* What holds however a connection ended. */
void judge(const struct connection *, const struct told *);
/* The same for what is seen before its end. */
_Noreturn void wrong_now(const struct connection *, const char *what);

#endif

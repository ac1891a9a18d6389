/* A connection as its session sees it. */
#ifndef GW_STRESS_SESSION_H
#define GW_STRESS_SESSION_H

#include "stress.h"

/* One end of a connection. */
struct end {
  int fd; /* -1: none, or it has reset itself */
  uint64_t stream, to_send, sent, received, reset_after, urgent_after, paused_until;
  bool exists, write_side_closed, eof, reset_itself;
  bool slow, resets_after_end; /* pauses often; may reset after it has ended its output */
  int failed; /* an errno: the connection was reset by the other side */
};

struct connection {
  struct session *session;
  uint64_t id, progress_at;
  uint64_t *random;
  struct end ends[2]; /* of the client and of its backend */
};

/* end.c */
struct end new_end(const struct connection *, int which, uint64_t to_send);
/* Whether this end expects nothing more. */
bool is_done(const struct end *);
/* What to poll for; 0 while it pauses. */
short poll_events(const struct end *, uint64_t now);
/* Reads and writes what poll has found, and at random shuts down, resets or pauses. */
void act(struct connection *, int which, short events);

/* outcome.c */
/* Checks how a connection ended. */
void check_outcome(const struct connection *, const struct outcome *);
/* Fails for what was seen before its end. */
_Noreturn void wrong_now(const struct connection *, const char *what);

#endif

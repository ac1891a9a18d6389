/* The owner of the engine: what it knows. */
#ifndef GW_STRESS_OWNER_H
#define GW_STRESS_OWNER_H

#include "stress.h"

#include <sys/resource.h>

enum { SLOTS = 8192, CALLERS = 8, CALLERS_HOST = 0x020000 };
enum act { NO_ACT, CANCEL, CLOSE, KILL };
enum target { AT_BACKEND, AT_DEAD, AT_HOLE };

/* What the owner knows of a connection. */
struct known {
  bool open, dialling;
  struct session *session; /* NULL: a caller, see `call` */
  enum target target;
  enum act act;
  uint64_t act_at, bytes[2];
};

struct owner {
  struct engine *engine;
  uint64_t *random;
  struct known known[SLOTS];
  int doors[DOORS];
  unsigned open;
  int side_door, callers[CALLERS]; /* -1: none */
  uint64_t side_door_until, starved_until;
  bool was_starved;
  struct rlimit limit;
};

/* owner.c */
void take_all(struct owner *);
/* Gives the orders whose time has come. */
void act_where_due(struct owner *);

#endif

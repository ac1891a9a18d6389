/* Which fault a case has. */
#ifndef GW_PLAN_H
#define GW_PLAN_H

#include <stdatomic.h>
#include <stdbool.h>

enum { ALWAYS = -1 };

struct plan {
  const char *call;
  int error;
  int at; /* ALWAYS, or the call that fails, counted from when it is armed */
  bool at_start; /* armed before the engine is started, not after */
};

/* The faults of plan.c, each early, a little later, and always. */
unsigned plan_count(void);
struct plan plan_of(unsigned number);

extern struct plan plan;
extern atomic_bool armed;
extern atomic_uint calls, injected; /* of `plan.call` since it was armed */

#endif

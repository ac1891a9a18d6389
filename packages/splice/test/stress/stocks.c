/* Stocks of dials, one for each session, that are filled and taken back all the time; and which dial each client got. */
#include "controller.h"

#include <string.h>

enum { MOST_SESSIONS = 64, STOCK_MS = 60 };

/* Dials by ticket: where they lead to. NO_DIAL: it was taken back, or its client was reported. */
enum { TICKETS = 4 * STOCK, NO_DIAL = 0xff };
struct stocking {
  int number;
  uint32_t next;
  uint8_t targets[TICKETS];
};
static struct stocking stockings[MOST_SESSIONS];

int new_stock(struct controller *controller, const struct session *session) {
  struct stocking *stocking = &stockings[session->number];
  if (session->number >= MOST_SESSIONS) violation("too many sessions");
  stocking->next = 0;
  memset(stocking->targets, NO_DIAL, sizeof stocking->targets);
  stocking->number = engine_new_stock(controller->engine);
  if (stocking->number < 0) violation("no stock");
  return stocking->number;
}

static void add(struct controller *controller, const struct session *session, struct stocking *stocking) {
  uint64_t dice = random_below(controller->random, 100);
  enum target target = dice < 80 ? AT_BACKEND : dice < 90 ? AT_REFUSING : AT_BLACKHOLE;
  const struct sockaddr_in *addresses[] = {&session->backend, &session->refusing, &stress.blackhole};
  struct sockaddr_storage list[2] = {0};
  unsigned count = 0;
  /* In front of it, an address that does not accept. */
  if (chance(controller->random, 30)) memcpy(&list[count++], &session->refusing, sizeof session->refusing);
  if (target == AT_REFUSING) count = 0;
  memcpy(&list[count++], addresses[target], sizeof *addresses[target]);
  unsigned copies = 1 + (unsigned)random_below(controller->random, 3);
  unsigned added = engine_stock(controller->engine, stocking->number, list, count, STOCK_MS, copies);
  for (; added > 0; added--) stocking->targets[stocking->next++ % TICKETS] = (uint8_t)target;
}

static void take_back(struct controller *controller, struct stocking *stocking) {
  unsigned count = engine_unstock(controller->engine, stocking->number);
  for (; count > 0; count--) {
    uint8_t *target = &stocking->targets[--stocking->next % TICKETS];
    if (*target == NO_DIAL) violation("a dial was taken back that a client had");
    *target = NO_DIAL;
  }
}

static void take_one(struct controller *controller, struct stocking *stocking) {
  int64_t ticket = engine_take_stocked(controller->engine, stocking->number);
  if (ticket < 0) return;
  uint8_t *target = &stocking->targets[ticket % TICKETS];
  if (*target == NO_DIAL) violation("a dial was taken out that a client had");
  *target = NO_DIAL;
}

void change_stocks(struct controller *controller) {
  for (unsigned number = 0; number < stress.concurrency; number++) {
    uint64_t dice = random_below(controller->random, 100);
    if (dice < 40) add(controller, &stress.sessions[number], &stockings[number]);
    else if (dice < 60) take_back(controller, &stockings[number]);
    else if (dice < 65) take_one(controller, &stockings[number]);
  }
}

enum target stocked_target(const struct session *session, int64_t ticket) {
  struct stocking *stocking = &stockings[session->number];
  uint8_t target = stocking->targets[ticket % TICKETS];
  if (stocking->next - (uint32_t)ticket > TICKETS || target == NO_DIAL)
    violation("session %u: a client got dial %lld, which was taken back", session->number, (long long)ticket);
  stocking->targets[ticket % TICKETS] = NO_DIAL;
  tally.stocked++;
  return target;
}

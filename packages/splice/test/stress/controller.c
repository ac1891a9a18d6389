/* Decides at random what is done with clients, and checks the order of events. */
#define _GNU_SOURCE
#include "controller.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { MOST_EVENTS = 64, LONG_MS = 120000, LONGEST_WAIT_MS = 1000000 };

struct tally tally;

static void record(struct tracked *tracked, unsigned did) {
  if (!tracked->session) return;
  pthread_mutex_lock(&tracked->session->lock);
  tracked->session->outcome.did |= did;
  pthread_mutex_unlock(&tracked->session->lock);
}

/* A dial is under way: decides what is done to it. */
static void plan_dial(struct controller *controller, struct tracked *tracked, enum target target, bool runs_out) {
  tracked->target = target;
  tracked->dialling = true;
  tracked->act = NO_ACT;
  if (target == AT_BLACKHOLE && !runs_out) tracked->act = chance(controller->random, 60) ? CANCEL : ABORT;
  else if (chance(controller->random, 20))
    tracked->act = (enum act[]){CANCEL, CLOSE, ABORT}[random_below(controller->random, 3)];
  uint64_t longest = tracked->act == ABORT ? 50 : target == AT_BLACKHOLE ? 20 : 3;
  tracked->act_at = chance(controller->random, 30) ? 0 : now_ms() + random_below(controller->random, longest);
}

static void dial(struct controller *controller, uint32_t slot, enum target target) {
  struct tracked *tracked = &controller->tracked[slot];
  const struct session *session = tracked->session ? tracked->session : &stress.sessions[0];
  const struct sockaddr_in *addresses[] = {&session->backend, &session->refusing, &stress.blackhole};
  const struct sockaddr_in *address = addresses[target];
  bool runs_out = target == AT_BLACKHOLE && chance(controller->random, 50);
  uint32_t timeout = runs_out ? 20 + (uint32_t)random_below(controller->random, 60) : LONG_MS;
  plan_dial(controller, tracked, target, runs_out);
  tracked->ordered_at = controller->takes;
  struct sockaddr_storage list[2] = {0};
  unsigned count = 0;
  /* Often, in front of it, an address that does not accept. */
  bool several = chance(controller->random, 40);
  if (several && target != AT_BLACKHOLE && chance(controller->random, 50))
    memcpy(&list[count++], &session->refusing, sizeof session->refusing);
  if (several && target == AT_BLACKHOLE) memcpy(&list[count++], address, sizeof *address);
  memcpy(&list[count++], address, sizeof *address);
  if (engine_dial(controller->engine, slot, list, count, timeout) != 0) violation("engine_dial: out of memory");
}

static void end(struct controller *controller, uint32_t slot, enum act act) {
  struct tracked *tracked = &controller->tracked[slot];
  record(tracked, act == CLOSE ? DID_CLOSE : DID_ABORT);
  tracked->ordered_at = controller->takes;
  tracked->dialling = false;
  tracked->ended |= act == ABORT;
  if (act == CLOSE) engine_close(controller->engine, slot);
  if (act == ABORT || chance(controller->random, 10)) {
    record(tracked, DID_ABORT);
    tracked->ended = true;
    engine_abort(controller->engine, slot);
  }
}

static void act(struct controller *controller, uint32_t slot) {
  struct tracked *tracked = &controller->tracked[slot];
  enum act due = tracked->act;
  tracked->act = NO_ACT;
  if (due != CANCEL) return end(controller, slot, due);
  record(tracked, DID_CANCEL);
  tracked->dialling = false;
  engine_cancel_dial(controller->engine, slot);
  if (!tracked->session || chance(controller->random, 20))
    return end(controller, slot, chance(controller->random, 50) ? CLOSE : ABORT);
  const enum target targets[] = {AT_BACKEND, AT_BACKEND, AT_REFUSING, AT_BLACKHOLE};
  dial(controller, slot, targets[random_below(controller->random, 4)]);
}

void act_when_due(struct controller *controller) {
  uint64_t now = now_ms();
  for (uint32_t slot = 0; slot < SLOTS; slot++) {
    struct tracked *tracked = &controller->tracked[slot];
    if (!tracked->open) continue;
    if (tracked->act != NO_ACT && tracked->act_at <= now) act(controller, slot);
    if (!chance(controller->random, 5)) continue;
    uint64_t bytes[2];
    engine_bytes(controller->engine, slot, bytes);
    if (bytes[0] < tracked->bytes[0] || bytes[1] < tracked->bytes[1]) violation("slot %u: a counter went back", slot);
    memcpy(tracked->bytes, bytes, sizeof bytes);
    /* No wait is longer than this program runs, which the wrong times of a race would be. */
    if (engine_waiting(controller->engine, slot) > LONGEST_WAIT_MS) violation("slot %u: it waits too long", slot);
    if (engine_answered(controller->engine, slot) > LONGEST_WAIT_MS) violation("slot %u: answered too long ago", slot);
  }
}

static void on_accepted(struct controller *controller, const struct event *event) {
  struct tracked *tracked = &controller->tracked[event->slot];
  const struct sockaddr_in *peer = (const struct sockaddr_in *)engine_peer(controller->engine, event->slot);
  uint32_t host = ntohl(peer->sin_addr.s_addr) & 0xffffff;
  *tracked = (struct tracked){.open = true};
  controller->open++;
  tally.accepted++;
  if (host < EXTRA_CLIENTS_HOST) {
    tracked->session = &stress.sessions[host & 0xffff];
    pthread_mutex_lock(&tracked->session->lock);
    if (tracked->session->outcome.accepted) violation("session %u: accepted twice", tracked->session->number);
    tracked->session->outcome.accepted = true;
    bool with_timeouts = event->listener == controller->listeners[WITH_TIMEOUTS];
    tracked->session->outcome.listener = with_timeouts ? WITH_TIMEOUTS : WITHOUT_TIMEOUTS;
    pthread_mutex_unlock(&tracked->session->lock);
  }
  uint64_t dice = random_below(controller->random, 100);
  if (event->ticket >= 0) plan_dial(controller, tracked, stocked_target(tracked->session, event->ticket), true);
  if (event->ticket >= 0 && dice >= 6) return;
  if (dice < 6 || (!tracked->session && dice < 60)) end(controller, event->slot, dice % 2 ? CLOSE : ABORT);
  else if (!tracked->session) dial(controller, event->slot, AT_BLACKHOLE);
  else dial(controller, event->slot, dice < 80 ? AT_BACKEND : dice < 88 ? AT_REFUSING : AT_BLACKHOLE);
}

static bool is_expected(const struct controller *controller, const struct tracked *tracked, int error) {
  if (error == EMFILE) return controller->was_starved;
  if (tracked->target == AT_REFUSING) return error == ECONNREFUSED;
  if (tracked->target == AT_BLACKHOLE) return error == ETIMEDOUT;
  return error == ECONNRESET || error == EPIPE; /* it was accepted, and reset before the engine handled that */
}

static void on_dial_failed(struct controller *controller, const struct event *event) {
  struct tracked *tracked = &controller->tracked[event->slot];
  if (!is_expected(controller, tracked, event->error))
    violation("dial %d failed: %s", tracked->target, strerror(event->error));
  tracked->dialling = false;
  tracked->act = NO_ACT;
  tally.failed_dials++;
  if (!tracked->session || chance(controller->random, 15)) end(controller, event->slot, CLOSE);
  else dial(controller, event->slot, AT_BACKEND);
}

static void on_ended(struct controller *controller, const struct event *event) {
  struct tracked *tracked = &controller->tracked[event->slot];
  tracked->open = false;
  controller->open--;
  tally.ended++;
  if (event->waited > LONGEST_WAIT_MS) violation("slot %u: it waited too long", event->slot);
  struct session *session = tracked->session;
  if (!session) return;
  uint64_t one = 1;
  pthread_mutex_lock(&session->lock);
  session->outcome.ended = true;
  session->outcome.reason = event->reason;
  session->outcome.error = event->error;
  memcpy(session->outcome.bytes, event->bytes, sizeof event->bytes);
  (void)!write(session->notify_fd, &one, sizeof one);
  pthread_mutex_unlock(&session->lock);
}

static void on_connected(struct tracked *tracked) {
  tracked->dialling = false;
  tracked->connected = true;
  if (tracked->act != ABORT) tracked->act = NO_ACT; /* only clients without a backend are cancelled or closed */
  if (tracked->target != AT_BACKEND) violation("connected to an address that does not accept");
  pthread_mutex_lock(&tracked->session->lock);
  tracked->session->outcome.connected++;
  pthread_mutex_unlock(&tracked->session->lock);
}

static void on_stalled(const struct tracked *tracked, const struct event *event) {
  if (!tracked->connected || tracked->ended) violation("slot %u: a stall out of order", event->slot);
  tally.stalls++;
}

static void on_event(struct controller *controller, const struct event *event) {
  if (event->kind == ACCEPT_FAILED) {
    if (event->error != EMFILE || !controller->was_starved) violation("accept failed: %s", strerror(event->error));
    tally.failed_accepts++;
    return;
  }
  if (event->slot >= SLOTS) violation("slot %u", event->slot);
  struct tracked *tracked = &controller->tracked[event->slot];
  if (tracked->open == (event->kind == ACCEPTED)) violation("slot %u: event %d out of order", event->slot, event->kind);
  bool of_dial = event->kind == CONNECTED || event->kind == DIAL_FAILED || event->kind == STALLED;
  if (of_dial && tracked->ordered_at == controller->takes) return; /* out of date */
  if ((event->kind == CONNECTED || event->kind == DIAL_FAILED) && !tracked->dialling)
    violation("slot %u: event %d without a dial", event->slot, event->kind);
  switch (event->kind) {
  case ACCEPTED: return on_accepted(controller, event);
  case CONNECTED: return on_connected(tracked);
  case DIAL_FAILED: return on_dial_failed(controller, event);
  case STALLED: return on_stalled(tracked, event);
  default: return on_ended(controller, event);
  }
}

void take_all(struct controller *controller) {
  struct event events[MOST_EVENTS];
  unsigned count, max;
  do {
    max = 3 + (unsigned)random_below(controller->random, MOST_EVENTS - 2);
    controller->takes++;
    count = engine_take(controller->engine, events, max);
    for (unsigned index = 0; index < count; index++) on_event(controller, &events[index]);
  } while (count >= max - 2);
}

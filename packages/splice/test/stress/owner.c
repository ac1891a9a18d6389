/* Decides at random what becomes of clients, and checks the order of events. */
#define _GNU_SOURCE
#include "owner.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { MOST_EVENTS = 64, LONG_MS = 120000 };

struct tally tally;

static void note(struct known *known, unsigned did) {
  if (!known->session) return;
  pthread_mutex_lock(&known->session->lock);
  known->session->told.did |= did;
  pthread_mutex_unlock(&known->session->lock);
}

static void dial(struct owner *owner, uint32_t slot, enum target target) {
  struct known *known = &owner->known[slot];
  const struct session *session = known->session ? known->session : &stress.sessions[0];
  const struct sockaddr_in *addresses[] = {&session->backend, &session->dead, &stress.hole}, *address = addresses[target];
  bool runs_out = target == AT_HOLE && chance(owner->random, 50);
  uint32_t timeout = runs_out ? 20 + (uint32_t)random_below(owner->random, 60) : LONG_MS;
  known->target = target;
  known->dialling = true;
  known->act = NO_ACT;
  if (target == AT_HOLE && timeout == LONG_MS) known->act = chance(owner->random, 60) ? CANCEL : KILL;
  else if (chance(owner->random, 20)) known->act = (enum act[]){CANCEL, CLOSE, KILL}[random_below(owner->random, 3)];
  uint64_t longest = known->act == KILL ? 50 : target == AT_HOLE ? 20 : 3;
  known->act_at = chance(owner->random, 30) ? 0 : now_ms() + random_below(owner->random, longest);
  if (chance(owner->random, 60))
    return engine_dial(owner->engine, slot, (const struct sockaddr *)address, sizeof *address, timeout);
  /* Others in front of it, which must lose. */
  struct sockaddr_storage list[3] = {0};
  unsigned count = 0;
  if (target != AT_HOLE && chance(owner->random, 50)) memcpy(&list[count++], &session->dead, sizeof session->dead);
  if (target == AT_HOLE) memcpy(&list[count++], address, sizeof *address);
  memcpy(&list[count++], address, sizeof *address);
  engine_dial_any(owner->engine, slot, list, count, timeout);
}

static void end(struct owner *owner, uint32_t slot, enum act act) {
  struct known *known = &owner->known[slot];
  note(known, act == CLOSE ? DID_CLOSE : DID_KILL);
  known->dialling = false;
  if (act == CLOSE) engine_close(owner->engine, slot);
  if (act == KILL || chance(owner->random, 10)) {
    note(known, DID_KILL);
    engine_abort(owner->engine, slot);
  }
}

static void act(struct owner *owner, uint32_t slot) {
  struct known *known = &owner->known[slot];
  enum act due = known->act;
  known->act = NO_ACT;
  if (due != CANCEL) return end(owner, slot, due);
  note(known, DID_CANCEL);
  known->dialling = false;
  engine_cancel_dial(owner->engine, slot);
  if (!known->session || chance(owner->random, 20)) return end(owner, slot, chance(owner->random, 50) ? CLOSE : KILL);
  dial(owner, slot, (enum target[]){AT_BACKEND, AT_BACKEND, AT_DEAD, AT_HOLE}[random_below(owner->random, 4)]);
}

void act_where_due(struct owner *owner) {
  uint64_t now = now_ms();
  for (uint32_t slot = 0; slot < SLOTS; slot++) {
    struct known *known = &owner->known[slot];
    if (!known->open) continue;
    if (known->act != NO_ACT && known->act_at <= now) act(owner, slot);
    if (!chance(owner->random, 5)) continue;
    uint64_t bytes[2];
    engine_bytes(owner->engine, slot, bytes);
    if (bytes[0] < known->bytes[0] || bytes[1] < known->bytes[1]) violation("slot %u: a counter went back", slot);
    memcpy(known->bytes, bytes, sizeof bytes);
  }
}

static void on_accepted(struct owner *owner, const struct event *event) {
  struct known *known = &owner->known[event->slot];
  const struct sockaddr_in *peer = (const struct sockaddr_in *)engine_peer(owner->engine, event->slot);
  uint32_t host = ntohl(peer->sin_addr.s_addr) & 0xffffff;
  *known = (struct known){.open = true};
  owner->open++;
  tally.accepted++;
  if (host < CALLERS_HOST) {
    known->session = &stress.sessions[host & 0xffff];
    pthread_mutex_lock(&known->session->lock);
    if (known->session->told.accepted) violation("session %u: accepted twice", known->session->number);
    known->session->told.accepted = true;
    known->session->told.door = event->listener == owner->doors[HASTY] ? HASTY : PATIENT;
    pthread_mutex_unlock(&known->session->lock);
  }
  uint64_t dice = random_below(owner->random, 100);
  if (dice < 6 || (!known->session && dice < 60)) end(owner, event->slot, dice % 2 ? CLOSE : KILL);
  else if (!known->session) dial(owner, event->slot, AT_HOLE);
  else dial(owner, event->slot, dice < 80 ? AT_BACKEND : dice < 88 ? AT_DEAD : AT_HOLE);
}

static bool is_expected(const struct owner *owner, const struct known *known, int error) {
  if (error == EMFILE) return owner->was_starved;
  if (known->target == AT_DEAD) return error == ECONNREFUSED;
  if (known->target == AT_HOLE) return error == ETIMEDOUT;
  return error == ECONNRESET || error == EPIPE; /* it was accepted, and reset before the engine looked */
}

static void on_dial_failed(struct owner *owner, const struct event *event) {
  struct known *known = &owner->known[event->slot];
  if (!is_expected(owner, known, event->error)) violation("dial %d failed: %s", known->target, strerror(event->error));
  known->dialling = false;
  known->act = NO_ACT;
  tally.failed_dials++;
  if (!known->session || chance(owner->random, 15)) end(owner, event->slot, CLOSE);
  else dial(owner, event->slot, AT_BACKEND);
}

static void on_ended(struct owner *owner, const struct event *event) {
  struct known *known = &owner->known[event->slot];
  known->open = false;
  owner->open--;
  tally.ended++;
  struct session *session = known->session;
  if (!session) return;
  uint64_t one = 1;
  pthread_mutex_lock(&session->lock);
  session->told.ended = true;
  session->told.reason = event->reason;
  session->told.error = event->error;
  memcpy(session->told.bytes, event->bytes, sizeof event->bytes);
  (void)!write(session->news, &one, sizeof one);
  pthread_mutex_unlock(&session->lock);
}

static void on_connected(struct known *known) {
  known->dialling = false;
  if (known->act != KILL) known->act = NO_ACT; /* cancelled and closed is what has no backend */
  if (known->target != AT_BACKEND) violation("connected where nobody accepts");
  pthread_mutex_lock(&known->session->lock);
  known->session->told.connected++;
  pthread_mutex_unlock(&known->session->lock);
}

static void on_event(struct owner *owner, const struct event *event) {
  if (event->kind == ACCEPT_FAILED) {
    if (event->error != EMFILE || !owner->was_starved) violation("accept failed: %s", strerror(event->error));
    tally.failed_accepts++;
    return;
  }
  if (event->slot >= SLOTS) violation("slot %u", event->slot);
  struct known *known = &owner->known[event->slot];
  if (known->open == (event->kind == ACCEPTED)) violation("slot %u: event %d out of turn", event->slot, event->kind);
  if ((event->kind == CONNECTED || event->kind == DIAL_FAILED) && !known->dialling)
    violation("slot %u: event %d without a dial", event->slot, event->kind);
  switch (event->kind) {
  case ACCEPTED: return on_accepted(owner, event);
  case CONNECTED: return on_connected(known);
  case DIAL_FAILED: return on_dial_failed(owner, event);
  default: return on_ended(owner, event);
  }
}

void take_all(struct owner *owner) {
  struct event events[MOST_EVENTS];
  unsigned count, max;
  do {
    max = 2 + (unsigned)random_below(owner->random, MOST_EVENTS - 1);
    count = engine_take(owner->engine, events, max);
    for (unsigned index = 0; index < count; index++) on_event(owner, &events[index]);
  } while (count >= max - 1);
}

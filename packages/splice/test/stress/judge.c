/* Compares how a connection ended with what its ends did and saw, and what the owner did. */
#include "session.h"

#include <stdio.h>

static const char *const names[] = {"client", "backend"};
static const char *const reasons[REASONS] = {"finished",    "client-failed", "backend-failed", "idle",
                                             "half-closed", "stalled",       "closed",         "killed"};

static _Noreturn void wrong(const struct connection *this, const struct told *told, const char *what) {
  char text[700] = "";
  int length = 0;
  for (int which = 0; which < 2; which++) {
    const struct end *end = &this->ends[which];
    length += snprintf(text + length, sizeof text - (size_t)length,
                       "; %s: exists %d, to send %llu, sent %llu, received %llu, shut %d, eof %d, failed %d, reset "
                       "itself %d",
                       names[which], end->exists, (unsigned long long)end->to_send, (unsigned long long)end->sent,
                       (unsigned long long)end->received, end->shut, end->eof, end->failed, end->reset_itself);
  }
  violation("connection %llu of session %u: %s (door %d, did %u, accepted %d, connected %d, ended %s, errno %d, "
            "%llu/%llu bytes%s)",
            (unsigned long long)this->id, this->session->number, what, told->door, told->did, told->accepted,
            told->connected, told->ended ? reasons[told->reason] : "not", told->error,
            (unsigned long long)told->bytes[0], (unsigned long long)told->bytes[1], text);
}

void wrong_now(const struct connection *this, const char *what) {
  pthread_mutex_lock(&this->session->lock);
  struct told told = this->session->told;
  pthread_mutex_unlock(&this->session->lock);
  wrong(this, &told, what);
}

void judge(const struct connection *this, const struct told *told) {
  const struct end *client = &this->ends[0], *backend = &this->ends[1];
  if (!told->ended) return;
  if (!told->accepted) wrong(this, told, "ended, and was never accepted");
  for (int which = 0; which < 2; which++) {
    const struct end *end = &this->ends[which], *other = &this->ends[!which];
    if (told->bytes[which] > end->sent) wrong(this, told, "more bytes are counted than were sent");
    if (other->received > told->bytes[which]) wrong(this, told, "more bytes came than are counted");
    bool blind = !end->exists || end->reset_itself || (end->eof && end->shut);
    if (told->reason == FINISHED) {
      if (end->failed) wrong(this, told, "finished, and was reset");
      if (!end->shut) wrong(this, told, "finished before an end had ended its output");
      if (told->bytes[which] != end->sent) wrong(this, told, "finished, and the bytes are miscounted");
      if (!end->reset_itself && end->received != other->sent) wrong(this, told, "finished, and bytes are missing");
    } else if (told->reason != CLOSED && !blind && !end->failed) {
      wrong(this, told, "cut, and an end saw no reset");
    } else if (end->eof && end->received > 0 && (!other->shut || end->received < other->sent)) {
      wrong(this, told, "a part of what was sent looks like the whole");
    }
  }
  bool timed_out = told->reason == IDLE || told->reason == HALF_CLOSED || told->reason == STALLED;
  if (timed_out && told->door != HASTY) wrong(this, told, "timed out where there are no timeouts");
  if (told->reason == CLIENT_FAILED && !client->reset_itself) wrong(this, told, "the client is blamed");
  if (told->reason == BACKEND_FAILED && !backend->reset_itself) wrong(this, told, "the backend is blamed");
  if (told->reason == CLOSED && !(told->did & DID_CLOSE)) wrong(this, told, "closed, and nobody asked for it");
  if (told->reason == ABORTED && !(told->did & (DID_KILL | DID_CANCEL))) wrong(this, told, "killed by nobody");
  if (told->reason == FINISHED && told->connected != 1 && !told->did)
    wrong(this, told, "finished without being connected once");
}

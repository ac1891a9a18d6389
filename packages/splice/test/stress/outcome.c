/* Compares how a connection ended with what its ends did and saw, and with what the controller did. */
#include "session.h"

#include <stdio.h>

static const char *const names[] = {"client", "backend"};
static const char *const reasons[REASONS] = {"finished",    "client-failed", "backend-failed", "idle",
                                             "half-closed", "blocked",       "closed",         "aborted"};

static _Noreturn void wrong(const struct connection *this, const struct outcome *outcome, const char *what) {
  char text[700] = "";
  int length = 0;
  for (int which = 0; which < 2; which++) {
    const struct end *end = &this->ends[which];
    length += snprintf(text + length, sizeof text - (size_t)length,
                       "; %s: exists %d, to send %llu, sent %llu, received %llu, write side closed %d, eof %d, "
                       "failed %d, reset itself %d",
                       names[which], end->exists, (unsigned long long)end->to_send, (unsigned long long)end->sent,
                       (unsigned long long)end->received, end->write_side_closed, end->eof, end->failed,
                       end->reset_itself);
  }
  violation("connection %llu of session %u: %s (listener %d, did %u, accepted %d, connected %d, ended %s, errno %d, "
            "%llu/%llu bytes%s)",
            (unsigned long long)this->id, this->session->number, what, outcome->listener, outcome->did,
            outcome->accepted, outcome->connected, outcome->ended ? reasons[outcome->reason] : "not", outcome->error,
            (unsigned long long)outcome->bytes[0], (unsigned long long)outcome->bytes[1], text);
}

void wrong_now(const struct connection *this, const char *what) {
  pthread_mutex_lock(&this->session->lock);
  struct outcome outcome = this->session->outcome;
  pthread_mutex_unlock(&this->session->lock);
  wrong(this, &outcome, what);
}

void check_outcome(const struct connection *this, const struct outcome *outcome) {
  const struct end *client = &this->ends[0], *backend = &this->ends[1];
  if (!outcome->ended) return;
  if (!outcome->accepted) wrong(this, outcome, "ended, and was never accepted");
  for (int which = 0; which < 2; which++) {
    const struct end *end = &this->ends[which], *other = &this->ends[!which];
    if (outcome->bytes[which] > end->sent) wrong(this, outcome, "more bytes are counted than were sent");
    if (other->received > outcome->bytes[which]) wrong(this, outcome, "more bytes came than are counted");
    bool sees_no_reset = !end->exists || end->reset_itself || (end->eof && end->write_side_closed);
    if (outcome->reason == FINISHED) {
      if (end->failed) wrong(this, outcome, "finished, and was reset");
      if (!end->write_side_closed) wrong(this, outcome, "finished before an end had ended its output");
      if (outcome->bytes[which] != end->sent) wrong(this, outcome, "finished, and the bytes are miscounted");
      if (!end->reset_itself && end->received != other->sent) wrong(this, outcome, "finished, and bytes are missing");
    } else if (outcome->reason != CLOSED && !sees_no_reset && !end->failed) {
      wrong(this, outcome, "cut, and an end saw no reset");
    } else if (end->eof && end->received > 0 && (!other->write_side_closed || end->received < other->sent)) {
      wrong(this, outcome, "a part of what was sent looks like the whole");
    }
  }
  bool timed_out = outcome->reason == IDLE || outcome->reason == HALF_CLOSED || outcome->reason == BLOCKED;
  if (timed_out && outcome->listener != WITH_TIMEOUTS) wrong(this, outcome, "timed out where there are no timeouts");
  if (outcome->reason == CLIENT_FAILED && !client->reset_itself) wrong(this, outcome, "the client is blamed");
  if (outcome->reason == BACKEND_FAILED && !backend->reset_itself) wrong(this, outcome, "the backend is blamed");
  if (outcome->reason == CLOSED && !(outcome->did & DID_CLOSE)) wrong(this, outcome, "closed without an order");
  if (outcome->reason == ABORTED && !(outcome->did & (DID_ABORT | DID_CANCEL)))
    wrong(this, outcome, "aborted without an order");
  if (outcome->reason == FINISHED && outcome->connected != 1 && !outcome->did)
    wrong(this, outcome, "finished without being connected once");
}

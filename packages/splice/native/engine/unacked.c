/*
 * What was written to a side and its peer has not acknowledged. Only the kernel knows that. timeouts.c asks it from
 * time to time, about directions in which nothing was read since it last asked.
 *
 * TCP_USER_TIMEOUT is for a peer that has vanished. But Linux applies it also to a peer that acknowledges every probe
 * and whose window is closed, for which the write timeout is meant. So it is switched off while the window is closed.
 * A peer that vanishes then is found by the window probes that it does not answer.
 */
#define _GNU_SOURCE
#include "internal.h"

#include <netinet/tcp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>

/* For how long an answer to a window probe is awaited, unless the user timeout is shorter. */
enum { MIN_ANSWER_MS = 1000 };

/* struct tcp_info of linux/tcp.h, up to the last field that is used. That of the C library may be older. */
struct tcp_state {
  uint8_t state, ca_state, retransmits, probes, backoff, options, scale, flags;
  uint32_t rto, ato, snd_mss, rcv_mss, unacked, sacked, lost, retrans, fackets, last_data_sent, last_ack_sent,
      last_data_recv, last_ack_recv, pmtu, rcv_ssthresh, rtt, rttvar, snd_ssthresh, snd_cwnd, advmss, reordering,
      rcv_rtt, rcv_space, total_retrans;
  uint64_t pacing_rate, max_pacing_rate, bytes_acked, bytes_received;
  uint32_t segs_out, segs_in, notsent_bytes, min_rtt, data_segs_in, data_segs_out;
  uint64_t delivery_rate, busy_time, rwnd_limited, sndbuf_limited;
  uint32_t delivered, delivered_ce;
  uint64_t bytes_sent, bytes_retrans;
  uint32_t dsack_dups, reord_seen, rcv_ooopack, snd_wnd;
};

/* False where the kernel is too old, or the call fails. */
static bool get_tcp_state(int fd, struct tcp_state *state, bool *window_closed) {
  socklen_t length = sizeof *state;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, state, &length) < 0) return false;
  if (length < offsetof(struct tcp_state, min_rtt)) return false;
  bool has_window = length >= sizeof *state;
  *window_closed = (state->unacked == 0 && state->notsent_bytes > 0) || (has_window && state->snd_wnd == 0);
  return true;
}

bool has_unacked(int fd) {
  int bytes;
  return ioctl(fd, TIOCOUTQ, &bytes) == 0 && bytes > 0; /* the same number as SIOCOUTQ */
}

static void set_exempt(struct connection *connection, int side, struct unacked *unacked, bool exempt) {
  if (unacked->exempt == exempt || connection->listener->settings.user_timeout == 0) return;
  uint32_t user_timeout = exempt ? 0 : connection->listener->settings.user_timeout;
  if (set_user_timeout(connection->side[side].fd, user_timeout)) unacked->exempt = exempt;
}

/* Whether the peer has left two probes unanswered, for at least the user timeout. */
static bool has_vanished(struct unacked *unacked, uint8_t probes, uint32_t now, uint32_t user_timeout) {
  if (probes != unacked->probes) {
    if (unacked->probes == 0) unacked->unanswered_since = now;
    unacked->probes = probes;
    unacked->probed_at = now;
  }
  uint32_t answer = user_timeout < MIN_ANSWER_MS ? user_timeout : MIN_ANSWER_MS;
  return unacked->exempt && probes >= 2 && now - unacked->unanswered_since >= user_timeout &&
         now - unacked->probed_at >= answer;
}

/* Forgets what was unacknowledged; but not that the side is exempt, if the system refuses to end that. */
static void clear_unacked(struct connection *connection, int from) {
  struct direction *direction = &connection->direction[from];
  struct unacked *unacked = direction->unacked;
  if (!unacked) return;
  set_exempt(connection, !from, unacked, false);
  unacked->exists = false;
  unacked->probes = 0;
  if (unacked->exempt) return;
  free(unacked);
  direction->unacked = NULL;
}

bool check_unacked(struct thread *thread, struct connection *connection, int from) {
  struct direction *direction = &connection->direction[from];
  struct tcp_state state;
  bool window_closed;
  direction->all_acked = !direction->unacked || !direction->unacked->exists;
  if (!get_tcp_state(connection->side[!from].fd, &state, &window_closed)) return true;
  direction->all_acked = state.unacked == 0 && state.notsent_bytes == 0;
  if (direction->all_acked) {
    clear_unacked(connection, from);
    return true;
  }
  if (!direction->unacked) direction->unacked = calloc(1, sizeof *direction->unacked);
  struct unacked *unacked = direction->unacked;
  if (!unacked) return true;
  if (!unacked->exists || unacked->acked != (uint32_t)state.bytes_acked) {
    if (unacked->exists) connection->active_at = thread->now;
    unacked->since = thread->now;
    unacked->acked = (uint32_t)state.bytes_acked;
  }
  unacked->exists = true;
  set_exempt(connection, !from, unacked, window_closed);
  if (!has_vanished(unacked, state.probes, thread->now, connection->listener->settings.user_timeout)) return true;
  fail_connection(thread, connection, !from, ETIMEDOUT);
  return false;
}

void extend_unacked(struct unacked *unacked, uint32_t ms) {
  unacked->since += ms;
  unacked->unanswered_since += ms;
  unacked->probed_at += ms;
}

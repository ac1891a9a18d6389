-- For wrk: each request puts a key into etcd over HTTP and JSON. The report is one line of JSON, latencies in
-- microseconds.
wrk.method = "POST"
wrk.path = "/v3/kv/put"
wrk.headers["Content-Type"] = "application/json"
-- "benchmark" and 96 bytes, in base64.
wrk.body = '{"key":"YmVuY2htYXJr","value":"' .. string.rep("Z3cg", 32) .. '"}'

function done(summary, latency)
  local errors = summary.errors
  local failed = errors.connect + errors.read + errors.write + errors.status + errors.timeout
  io.write(string.format('{"seconds":%f,"count":%d,"errors":%d,"p50":%f,"p99":%f}\n', summary.duration / 1e6,
    summary.requests, failed, latency:percentile(50), latency:percentile(99)))
end

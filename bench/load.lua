-- wrk's script for every part. Arguments: a file of paths to GET in turn, or `create` and a number that makes
-- the prompts unique; with `keys` behind it each create has an Idempotency-Key of its own as well. Both sides of a
-- comparison get the same script, so its cost hits both alike.
local requests, at = {}, 0
local creates, run, keys = false, "", false

function init(args)
   if args[1] == "create" then
      creates, run, keys = true, args[2], args[3] == "keys"
      wrk.headers["Content-Type"] = "application/json"
      return
   end
   for path in io.lines(args[1]) do
      requests[#requests + 1] = wrk.format("GET", path)
   end
end

function request()
   at = at + 1
   if creates then
      if keys then
         wrk.headers["Idempotency-Key"] = "take-" .. run .. "-" .. at
      end
      local prompt = '{"model":"seedance-2.0-mini","prompt":"A red kite over the sea, take ' .. run .. "-" .. at .. '"}'
      return wrk.format("POST", "/v1/videos", nil, prompt)
   end
   return requests[at % #requests + 1]
end

function done(summary, latency, _)
   local e = summary.errors
   io.write(string.format(
      'RESULT {"requests":%d,"seconds":%.6f,"bytes":%d,"errors":%d,"mean_ms":%.4f,"p50_ms":%.4f,"p99_ms":%.4f}\n',
      summary.requests, summary.duration / 1e6, summary.bytes,
      e.connect + e.read + e.write + e.status + e.timeout,
      latency.mean / 1e3, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end

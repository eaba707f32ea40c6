-- For wrk: the load of bench/load.py. What to do stands in the environment; what happened goes out as one line of JSON.

local token, length = os.getenv("LOAD_TOKEN"), tonumber(os.getenv("LOAD_LENGTH"))
local reads_per_write = tonumber(os.getenv("LOAD_READS_PER_WRITE"))
local read, writes, sent = nil, {}, 0
written, others, refused = 0, 0, 0 -- read by done() through the thread
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

function init()
  read = wrk.format("GET", nil, { Authorization = "Bearer " .. token })
  for line in os.getenv("LOAD_WRITES"):gmatch("[^\n]+") do
    local path, author, body = line:match("(.-)\t(.-)\t(.*)")
    local headers = { Authorization = "Bearer " .. author, ["Content-Type"] = "application/json" }
    table.insert(writes, wrk.format("PATCH", path, headers, body))
  end
end

function request()
  if #writes > 0 and sent >= (written + 1) * reads_per_write then
    written = written + 1
    return writes[(written - 1) % #writes + 1]
  end
  sent = sent + 1
  return read
end

function response(status, headers, body)
  if status ~= 200 then refused = refused + 1 end
  if length and #body ~= length then others = others + 1 end
end

function done(summary, latency)
  local thread, errors = threads[1], summary.errors
  local seconds, total, written = summary.duration / 1e6, summary.requests, thread:get("written")
  local wrong = thread:get("refused") + math.max(0, thread:get("others") - written)
  wrong = wrong + errors.connect + errors.read + errors.write + errors.timeout
  io.stdout:write(string.format(
    '\n{"seconds": %f, "reads": %d, "writes": %d, "wrong": %d, "rate": %f, "p50_ms": %f, "p99_ms": %f, "write_p50_ms": null}\n',
    seconds, total - written, written, wrong, (total - written) / seconds,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end

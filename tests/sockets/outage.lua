-- wrk asks for another target every time, and the servers answer with it: so an answer that belongs to another request
-- that was answered already, or to none, is seen.
local threads = {}

function setup(thread)
  table.insert(threads, thread)
end

local count = 0
local open = {}
wrong = 0

function request()
  count = count + 1
  open["/" .. count] = true
  return wrk.format("GET", "/" .. count)
end

function response(status, headers, body)
  if status == 200 then
    if not open[body] then wrong = wrong + 1 end
    open[body] = nil
  end
end

function done(summary, latency, requests)
  for _, thread in ipairs(threads) do
    print("wrong answers: " .. thread:get("wrong"))
  end
end

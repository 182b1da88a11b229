-- Asks all routes in an order that jumps: N and the step have no common factor. Argument: how many routes.
-- Each request has a query of its own, one of 10,000, whatever the number of routes: a proxy that remembers whole requests
-- would else be told the same one again and again where there is one route, and the rows would differ in more than routes.
dofile("report.lua")

function init(args)
  local routes = tonumber(args[1])
  local tail = " HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n\r\n"
  local number = 0
  function request()
    number = (number + 7919) % 10000
    return string.format("GET /s%05d/1k?%05d%s", number % routes, number, tail)
  end
end

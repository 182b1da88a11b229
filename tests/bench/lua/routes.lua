-- Asks all routes in an order that jumps: N and the step have no common factor. Argument: how many routes.
dofile("report.lua")

function init(args)
  local routes = tonumber(args[1])
  local tail = "/1k HTTP/1.1\r\nHost: " .. wrk.headers["Host"] .. "\r\n\r\n"
  local route = 0
  function request()
    route = (route + 7919) % routes
    return string.format("GET /s%05d%s", route, tail)
  end
end

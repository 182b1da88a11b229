-- A browser's head whose target, cookie and referrer are never the same twice: nothing can be looked up from before.
dofile("report.lua")

local agents = {
  "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
  "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_6) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15",
  "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
}

function init(args)
  local host = wrk.headers["Host"]
  local count = 0
  local head = "GET /shop/items/%d/1k?page=%d HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\n" ..
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n" ..
    "Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br\r\n" ..
    "Referer: http://%s/shop/items/%d\r\nCookie: session=%016x; theme=dark; cart=%d\r\n\r\n"
  function request()
    count = count + 1
    return string.format(head, count, count % 97, host, agents[count % 3 + 1], host, count - 1, count * 2654435761, count)
  end
end

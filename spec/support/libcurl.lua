--- The version of this machine's libcurl, for cases whose right result differs by it:
-- the number has two digits each, as curl's own has them.

local pipe <close> = assert(io.popen "curl --version")
local major, minor = pipe:read "a":match "libcurl/(%d+)%.(%d+)"

return tonumber(major) * 100 + tonumber(minor)

rockspec_format = "3.0"
package = "cloud-partner-portal"
version = "dev-1"
source = {
  url = "git+https://github.com/cloud-partner-portal/cloud-partner-portal.git",
}
description = {
  summary = "Cancel operations on Cloud Partner Portal offers",
  detailed = [[
A C module on libcurl that cancels the running operation of an offer in
Microsoft's Cloud Partner Portal and follows it to its end.]],
  homepage = "https://github.com/cloud-partner-portal/cloud-partner-portal",
  license = "MIT",
  labels = { "http", "azure" },
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.4, < 5.5",
  "lua-cjson",
  "argparse >= 0.7.1",
}
-- The library alone: Debian keeps curl/curl.h where LuaRocks does not look,
-- but the compiler does.
external_dependencies = {
  CURL = { library = "curl" },
}
build = {
  type = "builtin",
  -- What is below lua/ is installed as it is, without being listed.
  modules = {
    cpp = {
      sources = {
        "csrc/answer.c",
        "csrc/bearer.c",
        "csrc/buffer.c",
        "csrc/calls.c",
        "csrc/check.c",
        "csrc/client.c",
        "csrc/connection.c",
        "csrc/cpp.c",
        "csrc/engine.c",
        "csrc/error.c",
        "csrc/exchange.c",
        "csrc/failure.c",
        "csrc/fetch.c",
        "csrc/file.c",
        "csrc/headers.c",
        "csrc/hook.c",
        "csrc/host.c",
        "csrc/json.c",
        "csrc/list.c",
        "csrc/location.c",
        "csrc/operation.c",
        "csrc/origin.c",
        "csrc/poller.c",
        "csrc/process.c",
        "csrc/proxy.c",
        "csrc/request.c",
        "csrc/response.c",
        "csrc/seat.c",
        "csrc/secret.c",
        "csrc/settings.c",
        "csrc/store.c",
        "csrc/table.c",
        "csrc/text.c",
        "csrc/trace.c",
        "csrc/transfer.c",
        "csrc/url.c",
        "csrc/wire.c",
      },
      incdirs = { "$(CURL_INCDIR)" },
      libdirs = { "$(CURL_LIBDIR)" },
      libraries = { "curl", "m" },
    },
    ["cpp.system"] = { sources = { "csrc/system.c" } },
  },
  copy_directories = { "types" },
  install = {
    bin = { cloudpartner = "lua/cpp/cli/main.lua" },
  },
}
test_dependencies = { "busted" }
test = {
  type = "command",
  script = "spec/run.lua",
}

#!/usr/bin/env lua5.4
-- What the rock installs as `cloudpartner`.
os.exit(require "cpp.cli".main(arg), true)

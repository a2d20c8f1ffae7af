-- LuaRocks' configuration for the Makefile: Debian's packages are no rocks.
rocks_provided = {
  ["lua-cjson"] = "2.1.0-1",
  argparse = "0.7.1-1",
  busted = "2.1.1-1",
}

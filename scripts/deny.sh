#!/bin/sh
# Checks licences, bans and sources of all dependencies with cargo-deny, built once into the cache.
# Advisories need a database from github.com: they are checked where it can be fetched, and their
# absence is said.
set -eu
tools=${EMOTIOND_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/emotiond}/tools
PATH=$tools/bin:$PATH
command -v cargo-deny >/dev/null || cargo install --quiet cargo-deny --version 0.20.2 --locked --root "$tools"
cargo deny --locked check bans licenses sources
if timeout 60 cargo deny --locked fetch db >/dev/null 2>&1; then
    cargo deny --locked check advisories
else
    echo "advisories not checked: the database cannot be fetched here"
fi

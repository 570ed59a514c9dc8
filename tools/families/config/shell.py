"""Shell functions that change a file: within its folders, tested, atomic, with a backup."""

from __future__ import annotations

from typing import Final

# The arguments: cp, mv and cat with the full paths that sudoers names, the file, the place for the
# new text, and three counted lists: the folders of the service, the command that tests, the command
# that reloads. Files are changed as root only where the account may not do it itself.
OPEN_FILE: Final = r"""
fail() { echo "$1" >&2; exit 3; }
cp_program=$1 mv_program=$2 cat_program=$3 file=$4 staged=$5
shift 5
count=$1; shift; roots=("${@:1:count}"); shift "$count"
count=$1; shift; test_command=("${@:1:count}"); shift "$count"
count=$1; shift; reload_command=("${@:1:count}"); shift "$count"
real=$(readlink -f -- "$file") || fail "no such file: $file"
inside=0
for root in "${roots[@]}"; do
  root=$(readlink -f -- "$root" || true)
  case $real in "${root:-/nonexistent}"|"${root:-/nonexistent}"/*) inside=1 ;; esac
done
[ "$inside" = 1 ] || fail "$file leads out of the service's folders, to $real"
folder=${real%/*} name=${real##*/}
new=$folder/.$name.guardia-new old=$folder/.$name.guardia-old
require_shown() {
  show > /dev/null || fail "$file cannot be read"
  if show | LC_ALL=C grep -qa 'PRIVATE KEY-----'; then fail "$file holds a private key"; fi
}
show() {
  if [ -r "$real" ]; then cat -- "$real"; else as_root "$cat_program" "$real"; fi
}
"""

CHANGE_FILE: Final = r"""
trap 'rm -f -- "$staged"' EXIT
privileged=1
if [ -w "$folder" ] && [ -w "$real" ]; then privileged=0; fi
run() { if [ "$privileged" = 1 ]; then as_root "$@"; else "$@" </dev/null; fi; }
call() {
  # What only root may do is done as root: testing and reloading a unit, for example.
  case $1 in "${control:-/nonexistent}") "$@" </dev/null ;; *) as_root "$@" ;; esac
}
put_back() {
  run "$cp_program" -p "$old" "$new"
  run "$mv_program" -f "$new" "$real"
}
# Puts the text of $staged in the file's place. What the test refuses is put back before anything
# reads it.
replace_file() {
  local said code=0
  [ -s "$staged" ] || fail "the new text of $file is empty"
  if cmp -s -- "$staged" <(show); then fail "$file has this text already"; fi
  run "$cp_program" -p "$real" "$old"
  run "$cp_program" -p "$real" "$new"
  run "$cp_program" "$staged" "$new"
  run "$mv_program" -f "$new" "$real"
  if [ "${#test_command[@]}" -gt 0 ]; then
    said=$(call "${test_command[@]}" 2>&1) || code=$?
    if [ "$code" != 0 ]; then
      put_back
      printf 'the test refused the new text, so the old one was put back:\n%s\n' "$said" >&2
      exit 3
    fi
  fi
  if [ "${#reload_command[@]}" -gt 0 ]; then
    call "${reload_command[@]}" >&2 || { put_back; fail "not reloaded: the old text was put back"; }
  fi
}
stage() {
  rm -f -- "$staged" || fail "another account owns $staged"
  (umask 077; set -C; cat > "$staged") || fail "$staged cannot be written"
}
"""

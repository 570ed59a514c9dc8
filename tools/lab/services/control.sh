# The service script behind every <name>ctl of the fleet; those set
# NAME ROOT PROGRAM (array) TIE (array) and source this file.
set -u
pidfile=$ROOT/run/$NAME.pid
ready=$ROOT/run/$NAME.ready

# A number alone is no proof: it may belong to another process by now. A dead process that was not
# yet waited for has an empty command line.
running() {
  pid=
  [ -f "$pidfile" ] && read -r pid <"$pidfile" || return 1
  case $({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) in
    *" --root $ROOT "*) return 0 ;;
  esac
  return 1
}

start() {
  if running; then echo "$NAME: already running (pid $pid)"; return 0; fi
  rm -f -- "$pidfile" "$ready"
  cd -P -- "$ROOT/current" || return 1
  (
    env -i PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME="$HOME" \
      setsid "${TIE[@]}" "${PROGRAM[@]}" </dev/null >>"$ROOT/run/output" 2>&1 &
    echo "$!" >"$pidfile.new"
  )
  mv -f -- "$pidfile.new" "$pidfile"
  local tries=0
  while [ ! -e "$ready" ]; do
    tries=$((tries + 1))
    if [ "$tries" -gt 250 ] || ! [ -d "/proc/$(<"$pidfile")" ]; then
      echo "$NAME: did not start:" >&2
      tail -n 3 -- "$ROOT/run/output" >&2
      return 1
    fi
    sleep 0.02
  done
  running && echo "$NAME: started (pid $pid)"
}

stop() {
  if ! running; then echo "$NAME: not running"; return 0; fi
  kill -TERM "$pid"
  local tries=0
  while running && [ "$tries" -lt 40 ]; do tries=$((tries + 1)); sleep 0.05; done
  if running; then
    # A stopped or stuck process does not react to a signal.
    kill -KILL "$pid"
    while running; do sleep 0.02; done
  fi
  rm -f -- "$pidfile" "$ready"
  echo "$NAME: stopped"
}

case ${1-} in
  start) start ;;
  stop) stop ;;
  restart) stop && start ;;
  reload)
    if ! running; then echo "$NAME: not running" >&2; exit 3; fi
    kill -HUP "$pid" && echo "$NAME: reloaded"
    ;;
  status)
    if running; then echo "$NAME: running (pid $pid)"; else echo "$NAME: not running"; exit 3; fi
    ;;
  *)
    echo "usage: ${NAME}ctl start|stop|restart|reload|status" >&2
    exit 2
    ;;
esac

"""Take a server out of an upstream of nginx on the same host, and put it back.

The line of the server in the upstream's block gets `down`, or loses it. The configuration is tested
before anything reads it, and what the test refuses is put back; nginx reloads without cutting
connections.
"""

from __future__ import annotations

from guardia.org.directory import Host, Service
from guardia.tools import balancers
from guardia.tools.balancers import UpstreamPlace
from guardia.tools.command import Command, Script
from guardia.tools.families.config.places import FileArgs, file_plan, rights_for
from guardia.tools.families.config.shell import CHANGE_FILE, OPEN_FILE
from guardia.tools.privilege import AS_ROOT, privileged_script
from guardia.tools.target import HTTP_KINDS, service_on
from guardia.tools.tool import Right

# Lists the servers of the upstream as `address state`, or prints the file with one of them changed.
# A line must hold one whole directive, as everybody writes it; anything else changes nothing.
_UPSTREAM = Script(
    "deploy.upstream",
    AS_ROOT
    + r"""
verb=$1 upstream=$2 server=$3 control=$4
shift 4
"""
    + OPEN_FILE
    + CHANGE_FILE
    + r"""
walk() {
  show | verb=$1 upstream=$upstream server=$server awk '
BEGIN { verb = ENVIRON["verb"]; upstream = ENVIRON["upstream"]; server = ENVIRON["server"] }
{
  line = $0; sub(/#.*/, "", line)
  count = split(line, words, /[ \t;{}\r]+/); at = words[1] == "" ? 2 : 1
  if (words[at] == "upstream" && words[at + 1] == upstream) inside = 1
  mine = inside && words[at] == "server"
  down = line ~ /[ \t]down[ \t\r]*;/ || line ~ /[ \t]down[ \t]/
  if (mine && verb == "list") {
    state = down ? "down" : line ~ /[ \t]backup[ \t;]/ ? "backup" : "up"
    print words[at + 1], state
  }
  if (mine && words[at + 1] == server && verb == "drain") sub(/[ \t]*;/, " down;")
  if (mine && words[at + 1] == server && verb == "restore") {
    gsub(/[ \t]+down[ \t]*;/, ";"); gsub(/[ \t]+down[ \t]+/, " ")
  }
  if (verb != "list") print
  if (line ~ /}/) inside = 0
}'
}
state= others=0 found=0
while read -r address how; do
  if [ "$address" = "$server" ]; then found=$((found + 1)) state=$how
  elif [ "$how" = up ]; then others=$((others + 1)); fi
done < <(walk list)
[ "$found" = 1 ] || fail "server $server is $found times in upstream $upstream of $file"
now=in
if [ "$state" = down ]; then now=out; fi
case $verb in
  status) echo "$now"; exit 0 ;;
  drain) if [ "$now" = out ]; then exit 0; fi
         [ "$others" -gt 0 ] || fail "no other server of upstream $upstream is in use" ;;
  restore) if [ "$now" = in ]; then exit 0; fi ;;
esac
walk "$verb" | stage
replace_file
sleep 1
""",
)


def command(verb: str, host: Host, service: Service) -> Command:
    """Return the command that takes a service out, puts it back, or says where it is."""
    return place_command(verb, host, balancers.local_place(service))


def place_command(verb: str, host: Host, place: UpstreamPlace) -> Command:
    """Return the command for a place in an nginx of this host."""
    web = service_on(host, place.service, HTTP_KINDS)
    plan = file_plan(host, FileArgs(service=web.name, file=place.file))
    words = (verb, place.name, place.server, web.control or "")
    return privileged_script(host, _UPSTREAM, *words, *plan.arguments)


def rights(host: Host, service: Service) -> tuple[Right, ...]:
    """Return what that needs where only root may write the file."""
    place = balancers.local_place(service)
    return rights_for(host, service_on(host, place.service, HTTP_KINDS), place.file)

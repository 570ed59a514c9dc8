"""Read a Korean command into its structure; what is not clearly a command does nothing.

The grammar decides alone and is deterministic. An act counts only where it is meant as a command:
not negated, quoted, asked, past, or a part of a name. A destructive act needs its object too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from guardia.board.command import query
from guardia.board.command.lexicon import lexicon
from guardia.board.command.names import Names
from guardia.board.command.reading import Act, Mood, Reading
from guardia.board.command.structure import NONE, Command, Situation, clarify

_ALL = "(?:전체|전부|모두|모든|싹|죄다|일괄|올(?=스톱|정지|스탑)|다(?=멈|중|정|스|세)|몽땅|일제히)"
_STOP = "(?:정지|중지|중단|멈[춰추]|스톱|스탑|stop|세워|그만)"
_STOP_TAIL = r"(?:를|을|좀)?(?:시켜|시키|해|하|줘|주|춰|세요|십시오|라|요|자|바람|바랍니다|부탁|드립니다|드려요|합니다|합시다|할것|명령|버튼눌러|눌러|발동|실행|조치|처리|워|부|탁)*[!.~ㅠㅜ]*"
_BARE_STOP = re.compile(
    rf"(?:긴급|비상|즉시|당장|지금|빨리|일단|{_ALL}|[!.,])*(?:정지|스톱|스탑|stop)(?:정지|{_STOP_TAIL})?"
)
_KILL_SWITCH = re.compile(
    r"(?:킬스위치|killswitch|비상(?:정지)?버튼|긴급정지)(?:를|을|좀)?(?:눌러|켜|on|작동|발동|가동|실행|걸어|올려)?"
)
_REQUEST = re.compile(
    r"처리|부탁|해줘|해주|봐줘|봐주|진행|조치|확인|바랍니다|해결|어떻게좀|좀해|손봐"
)
_CHANGE = re.compile(
    r"바꿔|바꾸|올[려리]|낮[춰추]|변경|조정|설정|상향|하향|지정|내[려리]|수정|처리|격상|격하|(?:으)?로(?:해|부탁|요|요청|바랍|$|[!.])"
)
_GOAL = r"(?:님|씨)?(?:한테|에게|께|앞으로|쪽으로|으로|로|이맡|가맡|이담당|가담당|이처리|가처리|이하|가하|담당|이(?=진행)|가(?=진행))"
_EXCLUDED = r"(?:님|씨)?(?:말고|대신|빼고|아니라|에서(?!부터)|제외)"


def parse(line: str, situation: Situation, names: Names) -> Command:
    """Return the command that a line means."""
    reading = Reading(line, situation, names)
    tails = lexicon().tails
    if not reading.text or tails["unreal"].search(reading.text):
        return NONE
    if (found := _emergency(reading)) is not None:
        return found
    if tails["reported"].search(reading.text) and not reading.commands("comment"):
        return NONE
    for read in _ACTS:
        if (command := read(reading)) is not None:
            return command
    return _otherwise(reading)


# --- stopping everything ------------------------------------------------------------------------


def _emergency(reading: Reading) -> Command | None:
    text = reading.text.lstrip("!.,~")
    if _BARE_STOP.fullmatch(text):
        return Command("kill_all")
    if reading.has("NDHKAPUQI") and not reading.says(f"{_ALL}"):
        return None
    if reading.has("NDQ"):
        return None
    if reading.commands("release") and not reading.has("HKPUI"):
        return Command("release_all")
    if reading.has("HKPUIA"):
        return None
    if _KILL_SWITCH.match(text) and not reading.says(
        "해제|풀어|꺼|내려|어디|뭐|누가|이력|방법|[?]"
    ):
        return Command("kill_all")
    stops = [a for a in reading.commands("abort", "pause") if _is_stop(reading, a)]
    if stops and reading.says(_ALL) and not reading.says("잠깐|잠시|일시"):
        return Command("kill_all")
    return None


def _is_stop(reading: Reading, act: Act) -> bool:
    return re.match(f".{{0,3}}{_STOP}", reading.text[act.begin : act.end]) is not None


def _is_object(reading: Reading, act: Act) -> bool:
    return lexicon().tails["object"].search(reading.text[act.end :]) is not None


# --- one act each -------------------------------------------------------------------------------


def _on_issue(reading: Reading, build: Callable[[int], Command]) -> Command:
    """Build a command on the issue of the line, or ask which one it is."""
    if len(reading.numbers) > 1:
        return clarify("sr")
    sr_id = reading.sr_id
    if sr_id is None:
        return clarify("sr", reading.situation.sr_id)
    return build(sr_id)


def _comment(reading: Reading) -> Command | None:
    acts = reading.commands("comment")
    if not acts:
        return None
    body = _comment_body(reading, acts[0])
    if body is None:
        if not reading.has("ND") or reading.says("보여|목록|조회|확인|읽어"):
            return None
        return _on_issue(reading, lambda sr: clarify("action", sr))
    return _on_issue(reading, lambda sr: Command("comment", sr, None, {"body": body}))


def _comment_body(reading: Reading, act: Act) -> str | None:
    quotes = reading.values("Q")
    if quotes:
        return str(quotes[0])
    colon = re.compile("[:：]").search(reading.text, act.begin)
    if colon is not None:
        return reading.compact.original_from(colon.end()) or None
    saying = re.search(
        r"(?:(?P<on>[ND](?:에|에다|에다가|으로|로)?)[,:]?)(?P<body>.+?)(?:이라고|라고|라는|다고|이란)(?:좀)?(?:코멘트|댓글|메모|의견|기록|남겨|적어|써|달아)",
        reading.text,
    )
    if saying is None:
        return None
    begin, _ = reading.compact.source(saying, "body")
    _, end = reading.compact.source(saying, "body")
    body = reading.compact.original[begin:end].strip()
    if saying[0].endswith("다고") or "다고" in saying[0][saying.end("body") - saying.start() :][:2]:
        body += "다"
    return body


def _set_priority(reading: Reading) -> Command | None:
    ranks = reading.values("R")
    if not ranks or not reading.has("ND") or not _CHANGE.search(reading.text):
        return None
    if any(a.name == "set_priority" and a.mood is Mood.NEGATED for a in reading.acts):
        return None
    if reading.says(r"[?]$|까요|나요|보여"):
        return None
    return _on_issue(reading, lambda sr: Command("set_priority", sr, None, {"priority": ranks[-1]}))


def _set_mode(reading: Reading) -> Command | None:
    manual = [a for a in reading.commands("set_manual") if _gives_to_people(reading, a)]
    auto = [a for a in reading.commands("set_auto") if not reading.has("A")]
    if not manual and not auto:
        return None
    if not reading.says(
        "바꿔|바꾸|전환|변경|돌려|해줘|해주|처리|모드|맡|넘|하게|떼|진행|맡기|돌아|설정|걸어|풀|해제|부탁|끄|꺼|빼|복귀|으로$|로$|멈|중단"
    ):
        return None
    if reading.commands("wake") and not reading.has("ND"):
        return None
    mode = "manual" if manual else "auto"
    return _on_issue(reading, lambda sr: Command("set_mode", sr, None, {"mode": mode}))


def _gives_to_people(reading: Reading, act: Act) -> bool:
    """Return whether an act hands over to people, not to one who is named."""
    return not (reading.has("PUM") and reading.commands("reassign"))


def _reassign(reading: Reading) -> Command | None:
    if not reading.commands("reassign"):
        return None
    target = _recipient(reading)
    if isinstance(target, Command):
        return _on_issue(reading, lambda sr: clarify(target.params["about"], sr))
    if target is None:
        return (
            None if not reading.has("ND") else _on_issue(reading, lambda sr: clarify("person", sr))
        )
    return _on_issue(reading, lambda sr: Command("reassign", sr, target))


def _recipient(reading: Reading) -> str | Command | None:
    """Return whom a line names as the goal, a question back, or `None`."""
    places = [i for i, sign in enumerate(reading.text) if sign in "PUAMO"]
    wanted = [i for i in places if not re.match(_EXCLUDED, reading.text[i + 1 :])]
    goals = [i for i in wanted if re.match(_GOAL, reading.text[i + 1 :])]
    for place in reversed(goals or wanted):
        mark = reading.compact.mark_at(place)
        match mark.sign:
            case "M":
                return reading.situation.user
            case "U":
                return clarify("person")
            case "O":
                _, holders = mark.value
                return str(holders[0]) if len(holders) == 1 else clarify("person")
            case _:
                return str(mark.value[0])
    return clarify("agent") if reading.has("G") else None


def _escalate(reading: Reading) -> Command | None:
    acts = reading.commands("escalate")
    if not acts:
        return None
    named = any("에스" in reading.text[a.begin : a.end] or "escal" in reading.text[a.begin : a.end]
                or "상신" in reading.text[a.begin : a.end] for a in acts)  # fmt: skip
    target = _superior(reading)
    if target is None:
        if not named:
            return None
        return _on_issue(reading, lambda sr: clarify("person", sr))
    if isinstance(target, Command):
        return _on_issue(reading, lambda sr: clarify("person", sr))
    if not named and not reading.has("ND"):
        return None
    return _on_issue(reading, lambda sr: Command("escalate", sr, target))


def _superior(reading: Reading) -> str | Command | None:
    for mark in reversed(reading.compact.all("PUO")):
        if mark.sign == "P":
            return str(mark.value[0])
        if mark.sign == "U":
            return clarify("person")
        role, holders = mark.value
        if role:
            return str(role)
        return str(holders[0]) if len(holders) == 1 else clarify("person")
    return None


def _decide(reading: Reading) -> Command | None:
    acts = reading.commands("approve", "reject")
    if not acts:
        return None
    if not reading.has("ND") and reading.says(
        "승인(?:할거|할것|할건|대기|필요|받을|받아야|요청건)|결재(?:할거|할것|대기)|보여|목록|리스트|조회|있어|있나"
    ):
        return None
    name = acts[-1].name
    if name == "approve" and not reading.has("ND") and reading.says("받|달라|요청"):
        return None
    params = {"reason": reason} if name == "reject" and (reason := _reason(reading)) else {}
    return _on_issue(reading, lambda sr: Command(name, sr, None, params))


def _reason(reading: Reading) -> str | None:
    found = re.search(
        r"(?:반려|거절|기각|부결|거부)?(?:사유|이유)(?:는|은|:|：|-|\s)+(?P<body>.+)$", reading.text
    )
    if found is not None:
        body = reading.compact.original_from(found.start("body"))
        return re.sub(r"(?:입니다|이에요|예요|임)?[.!\s]*$", "", body).strip(" '\"“”") or None
    because = re.search(
        r"^(?:[ND](?:은|는|을|를|이|가)?[,:]?)?(?P<body>.+?)(?:때문에|이유로|사유로|(?:으)?로인해|이라서|라서|이라|관계로)[,]?(?:반려|거절|기각|부결|거부)",
        reading.text,
    )
    if because is None:
        return None
    begin, end = reading.compact.source(because, "body")
    return reading.compact.original[begin:end].strip(" ,") or None


def _stop_or_undo(reading: Reading) -> Command | None:
    stops = [*reading.commands("abort")]
    undos = [*reading.commands("rollback")]
    if not stops and not undos:
        return None
    if reading.has("HKI") and not reading.has("ND"):
        return clarify("sr")
    if reading.has("R") and not stops:
        return None
    if any(
        a.name in ("approve", "reject", "pause") and _is_object(reading, a) for a in reading.acts
    ):
        # "Cancel the approval" stops no work.
        return _on_issue(reading, lambda sr: clarify("action", sr))
    name = "abort" if stops else "rollback"
    return _on_issue(reading, lambda sr: Command(name, sr))


def _pause(reading: Reading) -> Command | None:
    if not reading.commands("pause"):
        return None
    return _on_issue(reading, lambda sr: Command("pause", sr))


def _resume(reading: Reading) -> Command | None:
    named = reading.commands("resume") or (reading.commands("release") and reading.has("ND"))
    if not named:
        return None
    # "Do not stop, go on": nothing was suspended.
    plain = not reading.says("재개|resume|속개") and not reading.commands("release")
    if plain and (not reading.has("ND") or any(a.mood is Mood.NEGATED for a in reading.acts)):
        return None
    return _on_issue(reading, lambda sr: Command("resume", sr))


def _reanalyze(reading: Reading) -> Command | None:
    if not reading.commands("reanalyze"):
        return None
    spans = reading.values("W")
    params: dict[str, Any] = {"since_minutes": spans[-1]} if spans else {}
    servers = _servers(reading)
    if reading.has("ND"):
        target = servers[0] if len(servers) == 1 else None
        return _on_issue(reading, lambda sr: Command("reanalyze", sr, target, params))
    if len(servers) == 1:
        return Command("reanalyze", None, servers[0], params)
    return clarify("server") if reading.has("HKI") else clarify("sr", reading.situation.sr_id)


def _wake(reading: Reading) -> Command | None:
    acts = reading.commands("wake")
    if not acts or (not reading.has("AG") and not reading.says("깨[워우]|하트비트|heartbeat")):
        return None
    agents = [value[0] for value in reading.values("A")]
    if len(set(agents)) == 1:
        return Command("wake", None, agents[0])
    return clarify("agent")


def _run(reading: Reading) -> Command | None:
    acts = reading.commands(*lexicon().works)
    if not acts:
        return None
    if reading.says("보여|목록|조회") and not reading.says("해줘|해주|돌려|부탁"):
        return None
    if reading.has("ND") and not reading.has("HK"):
        return None
    servers = _servers(reading)
    if len(servers) != 1:
        return clarify("server")
    moments = reading.values("T")
    at = {"at": moments[0].isoformat()} if moments else {}
    return Command("run_action", None, servers[0], {"action_type": acts[-1].name, **at})


def _servers(reading: Reading) -> list[str]:
    """Return the servers that a line may mean: one if it is clear."""
    found: dict[str, None] = {}
    institution: str | None = None
    for mark in reading.compact.all("IHK"):
        if mark.sign == "I":
            institution = mark.value[0]
        elif mark.sign == "H":
            found[mark.value[0]] = None
        elif len(mark.value) and isinstance(mark.value[0], bool):
            _, word, number = mark.value
            known = reading.names.resolve_kind(institution, word, number)
            found.update(dict.fromkeys(known))
        else:
            found.update(dict.fromkeys(mark.value))
    return list(found)


# --- what is left -------------------------------------------------------------------------------


def _otherwise(reading: Reading) -> Command:
    if (found := query.read(reading, _servers(reading))) is not None:
        return found
    meant = not any(a.mood in (Mood.NEGATED, Mood.QUESTION) for a in reading.acts)
    if meant and reading.has("ND") and _REQUEST.search(reading.text):
        return _on_issue(reading, lambda sr: clarify("action", sr))
    return NONE


_ACTS: tuple[Callable[[Reading], Command | None], ...] = (
    _comment,
    _set_priority,
    _set_mode,
    _reassign,
    _escalate,
    _decide,
    _resume,
    _pause,
    _run,
    _stop_or_undo,
    _reanalyze,
    _wake,
)

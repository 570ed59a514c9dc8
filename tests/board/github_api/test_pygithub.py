from __future__ import annotations

import json
from collections.abc import Callable

import github
import pytest
from board_env import BoardEnv
from github import Auth, Github

Client = Callable[[str], Github]


@pytest.mark.slow
def test_pygithub_runs_a_scenario_unchanged(client: Client) -> None:
    lead = client("lead")
    assert lead.get_user().login == "lead"
    repo = lead.get_repo("MOF/all")
    assert (repo.full_name, repo.owner.login, repo.has_issues) == ("MOF/all", "MOF", True)
    issue = repo.create_issue("운영DB가 느립니다", body="**조회**가 느립니다", labels=["bug"])
    assert (issue.state, issue.user.login, [one.name for one in issue.labels]) == (
        "open",
        "lead",
        ["bug"],
    )
    issue.edit(title="운영DB 조회가 느립니다")
    assert repo.get_issue(issue.number).title == "운영DB 조회가 느립니다"
    issue.add_to_labels("area/db", "urgent")
    issue.remove_from_labels("area/db")
    issue.set_labels("bug", "urgent")
    assert {one.name for one in issue.get_labels()} == {"bug", "urgent"}
    issue.add_to_assignees("eng")
    assert [one.login for one in issue.assignees] == ["eng"]
    comment = issue.create_comment("확인 중입니다")
    comment.edit("확인했습니다")
    assert [one.body for one in issue.get_comments()] == ["확인했습니다"]
    assert comment.user.login == "lead" and comment.user.name
    heart = issue.create_reaction("heart")
    comment.create_reaction("+1")
    assert [one.content for one in issue.get_reactions()] == ["heart"]
    assert issue.delete_reaction(heart.id)
    found = list(lead.search_issues("조회가", repo="MOF/all", state="open", label="urgent"))
    assert [one.number for one in found] == [issue.number]
    issue.lock("resolved")
    assert repo.get_issue(issue.number).locked
    issue.unlock()
    issue.edit(state="closed", state_reason="completed")
    closed = repo.get_issue(issue.number)
    assert (closed.state, closed.state_reason) == ("closed", "completed")
    assert closed.closed_at is not None and closed.closed_by.login == "lead"
    events = [one.event for one in issue.get_events()]
    for name in ("labeled", "unlabeled", "renamed", "assigned", "locked", "unlocked", "closed"):
        assert name in events, events
    timeline = [(one.event, one.actor.login) for one in issue.get_timeline()]
    assert ("commented", "lead") in timeline
    issue.edit(state="open")
    assert repo.get_issue(issue.number).state_reason == "reopened"
    issue.edit(state="closed", state_reason="not_planned")
    assert repo.get_issue(issue.number).state_reason == "not_planned"


@pytest.mark.slow
def test_pygithub_pages_through_lists(client: Client, web_env: BoardEnv) -> None:
    lead = client("lead")
    repo = lead.get_repo("guardia/all")
    numbers = [web_env.create_issue(text=f"요청 {n}") for n in range(7)]
    lead.per_page = 3
    assert [one.number for one in repo.get_issues()] == numbers[::-1]
    assert [one.number for one in repo.get_issues().reversed] == numbers
    assert repo.get_issues().totalCount == 7
    assert [one.number for one in repo.get_issues().get_page(2)] == numbers[:1]
    assert [one.number for one in repo.get_issues(sort="updated", direction="asc")] == numbers
    assert lead.search_issues("요청").totalCount == 7
    assert [one.pull_request for one in repo.get_issues()] == [None] * 7


@pytest.mark.slow
def test_pygithub_knows_the_errors(client: Client, web_env: BoardEnv, site: str) -> None:
    own, other = client("cus"), client("cus2")
    number = own.get_repo("MOF/all").create_issue("느려요").number
    with pytest.raises(github.UnknownObjectException):
        other.get_repo("MOF/all")
    with pytest.raises(github.UnknownObjectException):
        other.get_repo("guardia/all").get_issue(number)
    assert other.search_issues("느려요").totalCount == 0
    with pytest.raises(github.BadCredentialsException):
        Github(base_url=f"{site}/api/v3", auth=Auth.Token("none"), retry=None).get_user().login  # noqa: B018
    with pytest.raises(github.GithubException) as refused:
        own.get_repo("MOF/all").get_issue(number).lock("spam")
    assert refused.value.status == 403
    with pytest.raises(github.GithubException) as invalid:
        client("lead").get_repo("MOF/all").create_issue("")
    assert invalid.value.status == 422 and invalid.value.data["errors"][0]["field"] == "title"


@pytest.mark.slow
def test_langchains_toolkit_works_through_pygithub(client: Client) -> None:
    from langchain_community.agent_toolkits.github.toolkit import GitHubToolkit
    from langchain_community.utilities.github import GitHubAPIWrapper

    lead = client("lead")
    repo = lead.get_repo("MOF/all")
    issue = repo.create_issue("운영DB가 느립니다", body="조회가 느립니다")
    wrapper = GitHubAPIWrapper.model_construct(
        github=lead,
        github_repo_instance=repo,
        github_repository="MOF/all",
        active_branch="main",
        github_base_branch="main",
    )
    tools = {tool.name: tool for tool in GitHubToolkit.from_github_api_wrapper(wrapper).get_tools()}
    assert "운영DB가 느립니다" in tools["Get Issues"].run("")
    read = json.loads(tools["Get Issue"].run({"issue_number": issue.number}))
    assert (read["body"], read["opened_by"]) == ("조회가 느립니다", "lead")
    tools["Comment on Issue"].run({"input": f"{issue.number}\n\n확인 중입니다"})
    assert [one.body for one in issue.get_comments()] == ["확인 중입니다"]
    found = tools["Search issues and pull requests"].run({"search_query": "운영DB"})
    assert f"{issue.number}" in found and "Top 1 results" in found
    assert "No open pull requests" in tools["List open pull requests (PRs)"].run("")


@pytest.mark.slow
def test_an_unchanged_issue_is_not_sent_again(client: Client) -> None:
    lead = client("lead")
    made = lead.get_repo("MOF/all").create_issue("느려요")
    issue = lead.get_repo("MOF/all").get_issue(made.number)
    assert issue.update() is False
    made.create_comment("아직 느려요")
    assert issue.update() is True
    assert lead.rate_limiting[1] > lead.rate_limiting[0] > 0
    assert lead.get_rate_limit().rate.limit == lead.rate_limiting[1]

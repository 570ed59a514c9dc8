"""The worker's job that folds and settles alerts: queued by a request, and by the sweep."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from alerts_env import AlertsEnv, alert, group
from board_env import BoardEnv
from procrastinate.jobs import Status
from run_coroutine import run_in_own_loop

from guardia.board.alerts import due
from guardia.heartbeat import queue
from guardia.heartbeat.worker import Worker


def run_jobs(alerts: AlertsEnv) -> int:
    """Run the waiting jobs of alerts through the queue; return how many there were."""
    parts = SimpleNamespace(board=alerts.env.board, settings=alerts.settings)
    handlers: Any = SimpleNamespace(
        **dict.fromkeys(
            (
                *("beat", "deliver", "deliver_webhook", "sign_checkpoint"),
                *("read_server", "read_document", "plan_rollout", "remote_run"),
            ),
            print,
        ),
        process_alerts=lambda source: Worker.process_alerts(parts, source),  # type: ignore[arg-type]
    )

    async def live() -> int:
        engine = queue.create_engine_app(alerts.env.dsn, handlers)
        done = 0
        async with engine.open_async():
            manager: Any = engine.job_manager
            try:
                worker = await manager.register_worker()
                while (job := await manager.fetch_job(None, worker)) is not None:
                    if job.task_name == "alerts":
                        engine.tasks["alerts"].func(**job.task_kwargs)
                        done += 1
                    await manager.finish_job(job, Status.SUCCEEDED, True)
            finally:
                await manager.presence.close()
        return done

    found: int = run_in_own_loop(live())
    return found


def test_a_request_is_settled_by_a_worker(env: BoardEnv) -> None:
    alerts = AlertsEnv(env)
    for source in ("alertmanager", "grafana"):
        assert alerts.post(source, group(alert())).status_code == 200
    assert alerts.issues() == []
    assert run_jobs(alerts) == 2
    assert [issue["channel"] for issue in alerts.issues()] == ["alertmanager", "grafana"]
    assert run_jobs(alerts) == 0


def test_the_sweep_queues_what_a_lost_worker_left(env: BoardEnv) -> None:
    alerts = AlertsEnv(env)
    alerts.post("alertmanager", group(alert()))
    with env.board.database.transaction() as session:
        session.connection().exec_driver_sql("delete from procrastinate_jobs")
    assert run_jobs(alerts) == 0
    assert due.process_due(alerts.env.board) == 1
    assert run_jobs(alerts) == 1
    assert len(alerts.issues()) == 1
    assert due.process_due(alerts.env.board) == 0

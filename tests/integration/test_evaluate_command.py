"""`lorewise evaluate` as a process, with the bundled models."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL

from tests.collections import write_collection, write_lines

pytestmark = pytest.mark.models

RUN = """
import signal
# A shell's background job ignores Ctrl-C, and so would everything that it starts.
signal.signal(signal.SIGINT, signal.default_int_handler)
from bot.cli import main
main()
"""


def environment(database_url: URL, models_dir: Path, home: Path) -> dict[str, str]:
    return {
        **os.environ,
        "LOREWISE_DATABASE_URL": database_url.render_as_string(False),
        "LOREWISE_MODELS_DIR": str(models_dir),
        "LOREWISE_HOME": str(home),
    }


def lorewise(*arguments: str) -> list[str]:
    return [sys.executable, "-c", RUN, "evaluate", *arguments]


def schemas(url: URL) -> int:
    with psycopg.connect(url.render_as_string(False)) as owner:
        rows = owner.execute("SELECT 1 FROM pg_namespace WHERE nspname LIKE 'lorewise_scratch%'")
        return len(rows.fetchall())


def test_retrieval_prints_json_writes_details_and_leaves_no_schema(
    database_url: URL, models_dir: Path, tmp_path: Path
) -> None:
    folder = write_collection(tmp_path / "set")
    ran = subprocess.run(
        lorewise("retrieval", str(folder), "--json", "--details", str(tmp_path / "found.jsonl"),
                 "--weights", "lexical=0.5", "--limit", "3"),
        env=environment(database_url, models_dir, tmp_path / "home"),
        capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    printed = json.loads(ran.stdout)
    assert printed["hit@1"] == 1
    assert printed["queries"] == 3
    assert printed["configuration"]["weights"]["lexical"] == 0.5
    rows = [json.loads(line) for line in (tmp_path / "found.jsonl").read_text().splitlines()]
    assert [row["rank"] for row in rows] == [1, 1, 1]
    assert schemas(database_url) == 0


def test_wrong_use_and_wrong_files_end_with_their_codes_and_reasons(
    database_url: URL, models_dir: Path, tmp_path: Path
) -> None:
    folder = write_collection(tmp_path / "set", qrels=[("q1", "gone", 1)])
    for arguments, code, reason in (
        ([str(folder)], 1, "there is no document 'gone'"),
        ([str(folder), "--legs", "third"], 2, "legs are lexical and dense"),
        ([str(folder), "--weights", "lexical"], 2, "is not name=value"),
    ):
        ran = subprocess.run(
            lorewise("retrieval", *arguments),
            env=environment(database_url, models_dir, tmp_path / "home"),
            capture_output=True, text=True, timeout=200, check=False,
        )  # fmt: skip
        assert ran.returncode == code
        assert reason in " ".join(ran.stderr.replace("│", " ").split())


async def test_ctrl_c_ends_it_and_leaves_no_schema(
    database_url: URL, models_dir: Path, tmp_path: Path
) -> None:
    queries = [{"_id": f"q{n}", "text": f"What is served at {n}?"} for n in range(20_000)]
    qrels = [(f"q{n}", "leave", 1) for n in range(20_000)]
    folder = write_collection(tmp_path / "set", queries=queries, qrels=qrels)
    process = await asyncio.create_subprocess_exec(
        *lorewise("retrieval", str(folder)),
        env=environment(database_url, models_dir, tmp_path / "home"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(280):
        while not schemas(database_url):
            assert process.returncode is None
            await asyncio.sleep(0.1)
        process.send_signal(signal.SIGINT)
        await process.communicate()
    assert process.returncode == 130
    assert schemas(database_url) == 0


def test_a_calibration_is_fitted_on_hidden_documents_stored_and_used(
    database_url: URL, models_dir: Path, tmp_path: Path
) -> None:
    things = ["lunch", "parking", "leave", "pension", "laptop", "visa", "badge", "gym"]
    things += ["printer", "training", "travel", "phone"]
    corpus = [
        {"_id": thing, "title": thing.title(), "text": f"The {thing} rule is number {n} of all."}
        for n, thing in enumerate(things)
    ]
    folder = write_collection(tmp_path / "set", corpus=corpus)
    questions = write_lines(
        tmp_path / "questions.jsonl",
        [{"id": t, "question": f"Which {t} rule is there?", "documents": [t]} for t in things],
    )
    ran = subprocess.run(
        lorewise("calibrate", str(questions), "--corpus", str(folder), "--hide", "--json",
                 "--output", str(tmp_path / "c.json"), "--details", str(tmp_path / "s.jsonl")),
        env=environment(database_url, models_dir, tmp_path / "home"),
        capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    printed = json.loads(ran.stdout)
    assert printed["figures"]["answerable"] == printed["figures"]["unanswerable"] == 12
    assert printed["figures"]["cross_validated"]["auc"] > 0.9
    assert json.loads((tmp_path / "c.json").read_text())["threshold"] == printed["threshold"]
    assert len((tmp_path / "s.jsonl").read_text().splitlines()) == 24
    with psycopg.connect(database_url.render_as_string(False)) as owner:
        row = owner.execute("SELECT models, data_hash FROM lorewise.calibration").fetchone()
    assert row == (sorted(printed["models"]), printed["data_hash"])

    ran = subprocess.run(
        lorewise("answers", str(questions), "--corpus", str(folder), "--limit", "1", "--json",
                 "--details", str(tmp_path / "answers.jsonl")),
        env=environment(database_url, models_dir, tmp_path / "home"),
        capture_output=True, text=True, timeout=250, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["questions"] == 1
    (line,) = (tmp_path / "answers.jsonl").read_text().splitlines()
    assert json.loads(line)["id"] == "lunch"
    assert schemas(database_url) == 0

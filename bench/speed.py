"""Requests per second, beside the reference stacks."""

import json
import sys
import time
from argparse import Namespace
from statistics import median
from typing import Any

from bench import data, load, report, services
from bench.stacks import STACKS, WORKERS, Stack, StatementCount, check_same, fetch, serving

READS_PER_WRITE = 50
# A measurement during which others use more cores than this is made again.
CALM = 0.1
WRITES = "catalogue+writes"


def main(options: Namespace) -> None:
    """Checks that all stacks answer alike, counts their statements, times them in turn and reports."""
    size = data.Size(options.courses, options.lessons, options.people, options.seed)
    with services.running() as running:
        services.set_up_django(running)
        data.load(size)
        run = Run(running, size, options)
        services.wait_for_calm(options.patience)
        run.check_and_count()
        machine = services.machine(running.database_url)
        run.time_rounds()
        run.check_fresh()
    name, is_dirty = services.commit()
    result = {
        "what": "speed",
        "date": time.strftime("%Y-%m-%d"),
        "commit": name,
        "is_dirty": is_dirty,
        "seed": size.seed,
        "size": vars(size),
        "rounds": options.rounds,
        "seconds": options.seconds,
        "connections": options.connections,
        "workers": WORKERS,
        "load": options.load,
        "page_bytes": run.lengths,
        "machine": machine,
        "others_cores": run.others_cores(),
        "statements": run.statements,
        "rows": run.rows(),
    }
    report.print_speed(result)
    report.write(result)


class Run:
    """One run over all stacks. `measured` has, per page and stack, what each round saw."""

    def __init__(self, running: services.Services, size: data.Size, options: Namespace) -> None:
        from users.tokens import issue_pair

        self.running = running
        self.options = options
        self.port = services.free_port()
        self.stacks = [stack for stack in STACKS if stack.name in {"product", *options.stacks}]
        known = data.identify(size)
        self.reader = str(known["reader"].pk)
        self.token = issue_pair(known["reader"])["access"]
        self.paths = {
            "catalogue": "/api/courses/",
            "course": f"/api/courses/{known['course'].pk}/",
            "lesson": f"/api/lessons/{known['lesson'].pk}/",
            "payments": "/api/payments/",
        }
        tokens = {course.owner: issue_pair(course.owner)["access"] for course in known["newest"]}
        lessons = [(course.lessons.order_by("order").last(), tokens[course.owner]) for course in known["newest"]]
        self.writes = [
            {"path": f"/api/lessons/{lesson.pk}/", "token": token, "body": json.dumps({"title": title})}
            for choice in (0, 1)
            for lesson, token in lessons
            for title in [other_titles(lesson.title)[choice]]
        ]
        self.answers: dict[str, bytes] = {}
        self.lengths: dict[str, int] = {}
        self.statements: dict[str, dict[str, Any]] = {}
        self.measured: dict[str, dict[str, list[dict[str, Any]]]] = {}

    def check_and_count(self) -> None:
        with StatementCount(self.running) as count:
            for stack in self.stacks:
                say(f"checking {stack.name}")
                with serving(stack, self.port, self.running, self.reader):
                    self._check(stack)
                    self._warm_up(stack)
                    for page in stack.pages:
                        counted = count.per_request(self.port, self.paths[page], self.token)
                        self.statements.setdefault(page, {})[stack.name] = counted

    def _check(self, stack: Stack) -> None:
        for page in stack.pages:
            body = fetch(self.port, self.paths[page], self.token)
            if stack.name == "product":
                self.answers[page] = body
                self.lengths[page] = len(body)
            elif stack.is_same:
                check_same(stack, page, self.answers[page], body)

    def time_rounds(self) -> None:
        for number in range(self.options.rounds):
            for stack in self.stacks:
                say(f"round {number + 1} of {self.options.rounds}: {stack.name}")
                services.wait_for_calm(self.options.patience / 6)
                with serving(stack, self.port, self.running, self.reader) as pid:
                    self._warm_up(stack)
                    for page in stack.pages:
                        self._measure(stack, pid, page)
                    if stack.name == "product":
                        writing = {"writes": self.writes, "reads_per_write": READS_PER_WRITE}
                        self._measure(stack, pid, "catalogue", WRITES, **writing)

    def check_fresh(self) -> None:
        """After all those writes the product must still answer what stands in the database."""
        for stack in self.stacks:
            if stack.name in {"product", "naive_drf"}:
                say(f"checking {stack.name} after the writes")
                with serving(stack, self.port, self.running, self.reader):
                    self._check(stack)

    def _warm_up(self, stack: Stack) -> None:
        for page in stack.pages:
            self._load(page, self.options.warm_up, None)

    def _measure(self, stack: Stack, pid: int, page: str, label: str = "", **writing: Any) -> None:
        """One measurement, and up to two more while others take part of the machine; the calmest counts."""
        length = len(fetch(self.port, self.paths[page], self.token))
        attempts = []
        for _ in range(3):
            with services.Others([pid, *self.running.pids]) as others:
                seen = self._load(page, self.options.seconds, length, **writing)
            if seen["wrong"]:
                raise SystemExit(f"{stack.name} gave {seen['wrong']} wrong answers for {label or page}")
            attempts.append({**seen, "others_cores": round(others.cores, 3)})
            # Somebody else's PostgreSQL counts as others, whatever it does.
            if others.cores <= CALM or self.running.log is None:
                break
            services.wait_for_calm(self.options.patience / 6)
        calmest = min(attempts, key=lambda seen: seen["others_cores"])
        self.measured.setdefault(label or page, {}).setdefault(stack.name, []).append(calmest)

    def _load(self, page: str, seconds: float, length: int | None, **writing: Any) -> dict[str, Any]:
        return load.put(
            tool=self.options.load,
            port=self.port,
            path=self.paths[page],
            token=self.token,
            length=length,
            seconds=seconds,
            connections=self.options.connections,
            **writing,
        )

    def others_cores(self) -> dict[str, float]:
        seen = [one["others_cores"] for page in self.measured.values() for rounds in page.values() for one in rounds]
        return {"median": median(seen), "most": max(seen)}

    def rows(self) -> list[dict[str, Any]]:
        """Per page and stack the medians of the calm rounds, and the product's speed as a multiple of the stack's."""
        rows = []
        titles = {stack.name: stack.title for stack in self.stacks}
        for page, by_stack in self.measured.items():
            product = calm_ones(by_stack["product"])
            ours = median(seen["rate"] for seen in product)
            on_catalogue = self.measured["catalogue"].items()
            beside = {name: seen for name, seen in on_catalogue if page == WRITES or name.startswith("empty")}
            compared = beside | by_stack
            for name in (stack.name for stack in self.stacks if stack.name in compared):
                rounds = calm_ones(compared[name])
                rates = [seen["rate"] for seen in rounds]
                rows.append(
                    {
                        "page": page,
                        "stack": name,
                        "title": titles[name],
                        "rate": round(median(rates), 1),
                        "best": round(max(rates), 1),
                        "spread": round((max(rates) - min(rates)) / median(rates), 3),
                        "product_times": round(ours / median(rates), 3),
                        "product_times_best": round(ours / max(rates), 3),
                        "p50_ms": median(seen["p50_ms"] for seen in rounds),
                        "p99_ms": median(seen["p99_ms"] for seen in rounds),
                        "write_p50_ms": rounds[0]["write_p50_ms"],
                        "client_cores": round(median(seen["client_cores"] for seen in rounds), 2),
                        "statements": self.statements.get(page, {}).get(name),
                        "rates": [round(rate, 1) for rate in rates],
                        "calm_rounds": calm_count(rounds),
                        "is_fair": bool(calm_count(product)) == bool(calm_count(rounds)),
                    }
                )
        return rows


def calm_count(rounds: list[dict[str, Any]]) -> int:
    return sum(seen["others_cores"] <= CALM for seen in rounds)


def calm_ones(rounds: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rounds in which nobody else used the machine; all of them if there is no such round."""
    return [seen for seen in rounds if seen["others_cores"] <= CALM] or rounds


def other_titles(title: str) -> tuple[str, str]:
    """Two titles as long in bytes as this one: every write changes something, and pages keep their length."""
    first, second = "12" if title[-1].isascii() else "эю"
    return title[:-1] + first, title[:-1] + second


def say(text: str) -> None:
    sys.stderr.write(f"\r\033[K{text} …" if sys.stderr.isatty() else f"{text} …\n")
    sys.stderr.flush()
